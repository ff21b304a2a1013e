"""The Hugging Face model that estimates effects and learns vectors: loading, conversion cache, device and dtype."""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers.utils import logging as transformers_logging

from steering.errors import EstimatorError
from steering.models.chat_model import ChatModel
from steering.models.choice import Choice
from steering.models.heap import give_back_memory, is_out_of_memory
from steering.models.language_model import LanguageModel
from steering.models.limits import Limits, limits_of
from steering.models.memory import memory_in_torch
from steering.models.network import Network
from steering.models.quantized import QuantizedNetwork
from steering.models.split_gguf import joined

END_BYTES = 2**16
WITHOUT_TORCH = "learned inside llama.cpp, by a method whose vectors are weaker than the best one's"


@dataclass(frozen=True, slots=True)
class Estimator:
    """A loaded causal LM with its tokenizer.

    Attributes:
        network: the model cut into blocks, or the quantized chat model itself.
        tokenizer: the model's own, a fast one (it gives character offsets).
        fingerprint: of the model file and of how it is computed; part of every effect's key.
        limitation: what the person should know of how well it can learn; empty for nothing.
    """

    network: LanguageModel
    tokenizer: Any
    fingerprint: str
    limitation: str = ""

    @property
    def limits(self) -> Limits:
        """How many tokens the parts of a prompt may have.

        Raises: EstimatorError: the model's context is too short to learn anything.
        """
        return limits_of(self.network.context)


def chosen_estimator(choice: str, source: Path, cache: Path, fingerprint: str, chat: ChatModel, free: int) -> Estimator:
    """What the person chose to learn with: see `Choice`, or a folder that holds the chat model as safetensors.

    Raises: EstimatorError: it cannot be loaded, or there is no such folder.
    """
    match choice:
        case Choice.AUTOMATIC:
            return fitting_estimator(source, cache, fingerprint, chat, free)
        case Choice.TORCH:
            device = device_with_room(chat.parameters, free, cache, fingerprint)
            return load_estimator(source, cache, fingerprint, device or torch.device("cpu"))
        case Choice.CHAT_MODEL:
            return replace(
                quantized_estimator(source, chat, fingerprint), limitation=f"{WITHOUT_TORCH}, as the settings have it"
            )
    folder = Path(choice).expanduser()
    return load_estimator(folder, cache, folder_fingerprint(folder))


def fitting_estimator(source: Path, cache: Path, fingerprint: str, chat: ChatModel, free: int) -> Estimator:
    """The chat model in torch, on a device that has room for it; in llama.cpp alone where none has.

    `free`: bytes of the computer's memory.

    Raises: EstimatorError: neither can be loaded.
    """
    if device := device_with_room(chat.parameters, free, cache, fingerprint):
        return load_estimator(source, cache, fingerprint, device)
    needed = memory_needed(chat.parameters, cache, fingerprint)
    loaded = quantized_estimator(source, chat, fingerprint)
    why = f"torch would need {_gib(needed)} of memory and {_gib(free)} are free"
    return replace(loaded, limitation=f"{WITHOUT_TORCH}: {why}; close other programs or choose a smaller model")


def device_with_room(parameters: int, free: int, cache: Path, fingerprint: str) -> torch.device | None:
    """The GPU where the model can learn there, else the CPU, else None; `free`: bytes of the computer's memory."""
    gpu, cpu = pick_device(), torch.device("cpu")
    if gpu != cpu:
        # What is converted is converted in the computer's memory; Apple's GPU has no other.
        room = torch.cuda.mem_get_info(gpu)[0] if gpu.type == "cuda" else free
        on_gpu = memory_in_torch(parameters, pick_dtype(gpu).itemsize, convert=False)
        to_convert = memory_in_torch(parameters, 0, convert=not _is_converted(cache, fingerprint))
        if on_gpu <= room and to_convert <= free:
            return gpu
    return cpu if memory_needed(parameters, cache, fingerprint) <= free else None


def load_estimator(source: Path, cache: Path, fingerprint: str, device: torch.device | None = None) -> Estimator:
    """Load a folder of safetensors, or a GGUF file (converted to safetensors once, under `cache`).

    It lies on a GPU where there is one and no other `device` is named.

    Raises: EstimatorError: not a model that transformers can load, or no room for the converted copy.
    """
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    device = device or pick_device()
    dtype = pick_dtype(device)
    folder = source if source.is_dir() else _converted(source, cache / fingerprint, dtype)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, trust_remote_code=False, use_safetensors=True
        ).to(device)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        why = "out of memory; close other programs" if is_out_of_memory(error) else _first_line(error)
        raise EstimatorError(f"{folder}: cannot be loaded as a model ({why})") from error
    if not tokenizer.is_fast:
        raise EstimatorError(f"{source}: its tokenizer gives no character offsets; use another model")
    model.eval()
    return Estimator(Network(model), tokenizer, f"{fingerprint}-{str(dtype).removeprefix('torch.')}")


def quantized_estimator(source: Path, chat: ChatModel, fingerprint: str) -> Estimator:
    """The chat model itself as estimator: slower, and without the method that needs gradients.

    Raises: EstimatorError: transformers cannot read the file's tokenizer.
    """
    transformers_logging.set_verbosity_error()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    except (OSError, ValueError, KeyError, RuntimeError, NotImplementedError, struct.error) as error:
        raise EstimatorError(f"{source}: its tokenizer cannot be read ({_first_line(error)})") from error
    return Estimator(QuantizedNetwork(chat), tokenizer, f"{fingerprint}-gguf")


def memory_needed(parameters: int, cache: Path, fingerprint: str) -> int:
    """Bytes of memory that a model takes in torch on a CPU, its conversion included where it is still to be done."""
    weight_bytes = pick_dtype(torch.device("cpu")).itemsize
    return memory_in_torch(parameters, weight_bytes, convert=not _is_converted(cache, fingerprint))


def folder_fingerprint(folder: Path) -> str:
    """Of a model in safetensors (hex, 32 characters): names, sizes, and both ends of each file.

    Raises: EstimatorError: no such folder, or no model in it.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in (".safetensors", ".json"))
        if not (folder / "config.json").exists() or not any(path.suffix == ".safetensors" for path in files):
            raise EstimatorError(f"{folder}: no config.json with .safetensors beside it; name another estimator")
        digest = hashlib.sha256()
        for path in files:
            with path.open("rb") as file:
                size = path.stat().st_size
                digest.update(f"{path.name}\n{size}\n".encode() + file.read(END_BYTES))
                file.seek(max(0, size - END_BYTES))
                digest.update(file.read(END_BYTES))
    except OSError as error:
        raise EstimatorError(f"{folder}: cannot be read ({error.strerror}); name another estimator") from error
    return digest.hexdigest()[:32]


def pick_device() -> torch.device:
    """CUDA or Apple's MPS where there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware computes in it, else float32 (bfloat16 is emulated and slower there)."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    capabilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    fast = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if fast else torch.float32


def _is_converted(cache: Path, fingerprint: str) -> bool:
    return (cache / fingerprint / "config.json").exists()


def _converted(source: Path, target: Path, dtype: torch.dtype) -> Path:
    """The safetensors copy of a GGUF file, made on first use as `dtype` and moved into place whole."""
    if _is_converted(target.parent, target.name):
        return target
    draft = target.with_name(f"{target.name}.{os.getpid()}.new")
    try:
        draft.mkdir(parents=True, mode=0o700)
        _convert(source, draft, dtype)
        _move_into_place(draft, target)
    except (OSError, ValueError, KeyError, RuntimeError, NotImplementedError, struct.error) as error:
        raise EstimatorError(f"{source}: cannot be converted for estimation ({_first_line(error)})") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        give_back_memory()
    return target


def _convert(source: Path, folder: Path, dtype: torch.dtype) -> None:
    whole = joined(source, folder / "joined.gguf")
    tokenizer = AutoTokenizer.from_pretrained(whole.parent, gguf_file=whole.name)
    model = AutoModelForCausalLM.from_pretrained(
        whole.parent,
        gguf_file=whole.name,
        dtype=torch.bfloat16,
        quantization_config=GgufConfig(dequantize=True),
    )
    # In the type that is computed in: torch then maps the file, where it would hold a copy beside it.
    model.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "joined.gguf").unlink(missing_ok=True)


def _move_into_place(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except OSError:
        # Another process has converted the same model meanwhile: its copy is as good.
        if not (target / "config.json").exists():
            raise


def _gib(memory: int) -> str:
    return f"{memory / 2**30:.1f} GiB"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
