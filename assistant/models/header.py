"""What a model file says about itself, checked before llama.cpp sees the file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ModelError
from assistant.models.gguf_file import GgufContents, TensorEntry, read_contents
from steering.models.splits import first_part, parts

NOT_MODELS = {
    "controlvector": "a control vector, not a model",
    "imatrix": "an importance matrix, not a model",
    "clip": "an image projector, not a language model",
}


@dataclass(frozen=True, slots=True)
class ModelHeader:
    """Facts of a GGUF model.

    Attributes:
        context_length: the window it was trained for, in tokens; 0 where the file does not say.
        quantization: llama.cpp's name of the file type ("Q4_1"); "" where the file does not say.
        data_start: where the tensor data begins, in bytes.
        size: of the file in bytes, all parts of a split model together.
    """

    name: str
    architecture: str
    blocks: int
    width: int
    vocabulary: int
    context_length: int
    has_chat_template: bool
    quantization: str
    data_start: int
    size: int


def read_header(path: Path) -> ModelHeader:
    """Read and check a model file's header, in milliseconds; of a split model, those of all parts.

    Raises: ModelError: no file, not GGUF, truncated, damaged, not a language model, or not all of one; the message
    says which.
    """
    contents = read_contents(path)
    count = _number(contents, "split.count")
    size = _check_parts(path, contents, count) if count > 1 else contents.size
    architecture = _architecture(path, contents)
    if count <= 1:
        _check_size(path, contents)
    return ModelHeader(
        name=_text(contents, "general.name") or path.stem,
        architecture=architecture,
        blocks=_needed(path, contents, f"{architecture}.block_count"),
        width=_needed(path, contents, f"{architecture}.embedding_length"),
        vocabulary=contents.lengths.get("tokenizer.ggml.tokens", 0),
        context_length=_number(contents, f"{architecture}.context_length"),
        has_chat_template=bool(_text(contents, "tokenizer.chat_template")),
        quantization=_quantization(contents),
        data_start=contents.data_start,
        size=size,
    )


def count_parameters(path: Path) -> int:
    """How many numbers a model's tensors hold, all parts of a split one together.

    Raises: ModelError: it cannot be read.
    """
    tensors = (tensor for part in parts(path) for tensor in read_contents(part).tensors)
    return sum(math.prod(tensor.dimensions) for tensor in tensors)


def _architecture(path: Path, contents: GgufContents) -> str:
    architecture = _text(contents, "general.architecture")
    kind = NOT_MODELS.get(architecture) or (
        "an adapter, not a model" if _text(contents, "general.type") == "adapter" else ""
    )
    if kind or not architecture:
        what = kind or "a GGUF file that names no architecture"
        raise ModelError(f"{path}: {what}; choose a chat model in GGUF format")
    return architecture


def _check_parts(path: Path, contents: GgufContents, count: int) -> int:
    """Check the parts of a split model, whose first is `path`; returns their bytes."""
    named = parts(path)
    if len(named) != count:
        raise ModelError(
            f"{path}: one of {count} parts of a model, but not named so; call them NAME-00001-of-{count:05}.gguf "
            "and so on"
        )
    if first_part(path) != path:
        raise ModelError(f"{path}: only a part of a model; name the first one, {named[0].name}")
    missing = [part.name for part in named if not part.is_file()]
    if missing:
        raise ModelError(f"{path}: {len(missing)} of its {count} parts missing, {missing[0]} first; get them as well")
    found = [contents, *map(read_contents, named[1:])]
    for part, inside in zip(named, found, strict=True):
        if inside.tensors:  # the first part may hold metadata only
            _check_size(part, inside)
    order = [_number(inside, "split.no") for inside in found]
    tensors, told = sum(len(inside.tensors) for inside in found), _number(contents, "split.tensors.count")
    if tensors != told or order != list(range(count)):
        raise ModelError(f"{path}: its parts do not belong together ({tensors} tensors of {told}); get them again")
    return sum(inside.size for inside in found)


def _check_size(path: Path, contents: GgufContents) -> None:
    if not contents.tensors:
        raise ModelError(f"{path}: holds no weights; choose a complete model file")
    end = contents.data_start + max(tensor.offset + _bytes(path, tensor) for tensor in contents.tensors)
    if end > contents.size:
        raise ModelError(f"{path}: truncated: {end - contents.size:,} bytes missing; download or copy it again")


def _bytes(path: Path, tensor: TensorEntry) -> int:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType  # slow to import

    try:
        block, size = GGML_QUANT_SIZES[GGMLQuantizationType(tensor.kind)]
    except (ValueError, KeyError):
        raise ModelError(
            f"{path}: tensor {tensor.name} has the unknown type {tensor.kind}; "
            "the file is broken or newer than this program"
        ) from None
    return math.prod(tensor.dimensions) // int(block) * int(size)


def _quantization(contents: GgufContents) -> str:
    from gguf.constants import LlamaFileType  # slow to import

    try:
        name = str(LlamaFileType(contents.values.get("general.file_type")).name)
    except ValueError:
        return ""
    return name.removeprefix("MOSTLY_").removeprefix("ALL_")


def _text(contents: GgufContents, key: str) -> str:
    value = contents.values.get(key)
    return value if isinstance(value, str) else ""


def _number(contents: GgufContents, key: str) -> int:
    value = contents.values.get(key)
    return value if isinstance(value, int) else 0


def _needed(path: Path, contents: GgufContents, key: str) -> int:
    value = _number(contents, key)
    if value <= 0:
        raise ModelError(f"{path}: the header lacks {key}; the file is damaged or not a language model")
    return value
