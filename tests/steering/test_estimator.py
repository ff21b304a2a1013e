from __future__ import annotations

import os
import stat
import subprocess
import sys

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from steering.errors import EstimatorError
from steering.models.estimator import load_estimator, pick_dtype
from tests.tiny_models import write_tiny_model

CPU = torch.device("cpu")


def test_a_gguf_file_is_converted_once(tmp_path):
    source = write_tiny_model(tmp_path / "tiny.gguf")
    cache = tmp_path / "cache"
    first = load_estimator(source, cache, "abc")
    stamps = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    source.unlink()
    second = load_estimator(source, cache, "abc")
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == stamps
    assert [path.name for path in cache.iterdir()] == ["abc"]
    assert stat.S_IMODE((cache / "abc").stat().st_mode) == 0o700
    assert second.fingerprint == first.fingerprint
    ids = torch.arange(3, 60, device=first.network.device)[None]
    with torch.inference_mode():
        one, other = (e.network.decoder(input_ids=ids).last_hidden_state for e in (first, second))
    assert torch.equal(one, other)
    text = "hello you 😀"
    assert first.tokenizer(text)["input_ids"] == second.tokenizer(text)["input_ids"]


def test_what_is_converted_lies_on_disk_as_it_is_computed_with(tmp_path):
    """So that its file is mapped: a copy in another type would double what a model takes while it is loaded."""
    loaded = load_estimator(write_tiny_model(tmp_path / "tiny.gguf"), tmp_path / "cache", "abc", CPU)
    kept = {weight.dtype for weight in load_file(tmp_path / "cache" / "abc" / "model.safetensors").values()}
    assert kept == {pick_dtype(CPU)} == {p.dtype for p in loaded.network.decoder.parameters()}


def test_two_processes_may_convert_at_once(tmp_path):
    source = write_tiny_model(tmp_path / "tiny.gguf")
    program = "import sys; from pathlib import Path; from steering.models.estimator import load_estimator as load; "
    load = [sys.executable, "-c", program + "load(Path(sys.argv[1]), Path(sys.argv[2]), 'abc')"]
    both = [subprocess.Popen([*load, source, tmp_path / "cache"]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["abc"]


@pytest.mark.bundled
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_first_start_takes_no_more_memory_in_the_end_than_the_second(bundled_path, tmp_path):
    # As in a rebuild: no garbage is collected while it loads, and glibc keeps what is freed.
    program = (
        "import gc, sys; gc.disable(); from pathlib import Path; from steering.models.estimator import load_estimator; "
        "kept = load_estimator(Path(sys.argv[1]), Path(sys.argv[2]), 'abc'); "
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('RssAnon')))"
    )
    load = [sys.executable, "-c", program, bundled_path, tmp_path / "cache"]
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}
    first, second = (int(subprocess.check_output(load, env=environment)) / 1024 for _ in range(2))
    assert first - second < 150, f"{first:.0f} and {second:.0f} MiB"


def test_the_weights_are_those_of_the_file(tiny_path, tmp_path):
    loaded = load_estimator(tiny_path, tmp_path, "abc").network
    stored = {t.name: t.data for t in gguf.GGUFReader(tiny_path).tensors}
    pairs = {
        "token_embd.weight": loaded.decoder.embed_tokens.weight,
        "output.weight": loaded.head.weight,
        "blk.1.ffn_down.weight": loaded.blocks[1].mlp.down_proj.weight,
    }
    for name, weight in pairs.items():
        rounded = torch.from_numpy(np.array(stored[name], np.float32)).to(torch.bfloat16)
        assert torch.equal(weight.to(torch.bfloat16).cpu(), rounded), name


def test_the_fingerprint_names_model_and_precision(tiny_path, tmp_path, monkeypatch):
    found = load_estimator(tiny_path, tmp_path, "abc")
    dtype = str(pick_dtype(found.network.device)).removeprefix("torch.")
    assert found.fingerprint == f"abc-{dtype}"
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    if found.network.device == CPU:
        assert load_estimator(tiny_path, tmp_path, "abc").fingerprint == "abc-float32"


def test_a_folder_is_used_as_it_is(tiny_path, tmp_path):
    load_estimator(tiny_path, tmp_path, "abc")
    cache = tmp_path / "unused"
    found = load_estimator(tmp_path / "abc", cache, "folder")
    assert found.fingerprint.startswith("folder-")
    assert not cache.exists()


@pytest.mark.parametrize("kind", ["missing", "empty", "noise", "magic", "header", "half", "vector"])
def test_a_broken_file_is_refused_and_leaves_nothing(tiny_path, tmp_path, kind):
    whole = tiny_path.read_bytes()
    content = {
        "empty": b"",
        "noise": np.random.default_rng(0).bytes(5000),
        "magic": b"GGUF" + np.random.default_rng(0).bytes(5000),
        "header": whole[:2000],
        "half": whole[: len(whole) // 2],
        "vector": b"GGUF\x03\x00\x00\x00" + bytes(16),
    }
    source = tmp_path / "broken.gguf"
    if kind in content:
        source.write_bytes(content[kind])
    cache = tmp_path / "cache"
    with pytest.raises(EstimatorError, match=r"broken\.gguf: cannot be converted"):
        load_estimator(source, cache, "abc")
    assert not cache.exists() or not list(cache.iterdir())


def test_a_folder_without_a_model_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(EstimatorError, match="folder: cannot be loaded as a model"):
        load_estimator(tmp_path / "folder", tmp_path, "abc")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({}, torch.float32),
        ({"avx512_bf16": False, "amx_bf16": False, "avx2": True}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
    ],
)
def test_bfloat16_only_where_the_cpu_computes_in_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert pick_dtype(CPU) == expected


def test_other_devices_without_bfloat16_get_float32(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert pick_dtype(torch.device("cuda")) == torch.float32
    assert pick_dtype(torch.device("mps")) == torch.float32
