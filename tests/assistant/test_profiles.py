"""Versions of the profile: use, roll back, strength, words, explanation, export."""

from __future__ import annotations

import math
import stat
from dataclasses import replace

import numpy as np
import pytest
from gguf import GGUFReader

from assistant.errors import AssistantError
from assistant.profile.left_out import left_out_in_words, passage_lines
from assistant.records import LeftOut, Passage, Reason
from steering.control_vector import ControlVector
from storage.records import EffectKey, EffectRecord
from tests.assistant.made import OUTCOME, add_profile, vector_bytes


@pytest.fixture
def vector(tmp_path) -> bytes:
    return vector_bytes(tmp_path)


@pytest.fixture
def used(assistant, vector):
    return assistant.profiles.use(add_profile(assistant, vector).version)


def test_nothing_yet(assistant, tmp_path):
    profiles = assistant.profiles
    assert (profiles.current(), profiles.all()) == (None, [])
    for act in (
        lambda: profiles.set_strength(1),
        lambda: profiles.set_enabled(True),
        lambda: profiles.set_description("x"),
        lambda: profiles.export(tmp_path / "v.gguf"),
    ):
        with pytest.raises(AssistantError, match="no profile is in use; run `assistant rebuild`"):
            act()
    with pytest.raises(AssistantError, match="no profile version 3"):
        profiles.use(3)
    assert not (tmp_path / "v.gguf").exists()


def test_use_rolls_back_and_switches_on(assistant, used, vector):
    newer = assistant.profiles.use(add_profile(assistant, vector).version)
    assistant.profiles.set_strength(0.4)
    assistant.profiles.set_enabled(False)
    back = assistant.profiles.use(used.version)
    state = assistant.profiles.state()
    assert (state.version, state.enabled, state.strength) == (used.version, True, 1.0)
    assert back.in_use
    assert [(p.version, p.in_use) for p in assistant.profiles.all()] == [(newer.version, False), (used.version, True)]


def test_version_without_anything_to_steer_with_cannot_be_used(assistant, used):
    empty = add_profile(assistant, None, form="none", reason="nothing helped")
    with pytest.raises(AssistantError, match="nothing to steer with: nothing helped"):
        assistant.profiles.use(empty.version)
    assert assistant.profiles.current() == used


def test_off_keeps_version_and_strength(assistant, used):
    assistant.profiles.set_strength(0.7)
    assistant.profiles.set_enabled(False)
    state = assistant.profiles.state()
    assert (state.version, state.enabled, state.strength) == (used.version, False, 0.7)
    assistant.profiles.set_enabled(True)
    assert assistant.profiles.state().strength == 0.7


@pytest.mark.parametrize("wrong", [-0.01, 2.01, 1e9, float("nan"), float("inf")])
def test_strength_outside_its_range_is_refused(assistant, used, wrong):
    with pytest.raises(AssistantError, match="out of range; choose 0 to 2"):
        assistant.profiles.set_strength(wrong)
    assert assistant.profiles.state().strength == 1.0


@pytest.mark.parametrize("right", [0, 0.25, 2])
def test_strength_within_its_range_is_kept(assistant, used, right):
    assistant.profiles.set_strength(right)
    assert assistant.profiles.state().strength == right


def test_own_description_is_kept_for_its_version(assistant, used, vector):
    edited = assistant.profiles.set_description("  My own words.\n")
    assert (edited.description, edited.description_edited, edited.describes) == ("My own words.", True, True)
    assert edited.outcome.description == "Says aye.", "what the rebuild found stays beside it"
    other = assistant.profiles.use(add_profile(assistant, vector).version)
    assert not other.description_edited


def test_explanation_shows_effects_and_phrases(assistant, used):
    writing = assistant.preferences.add_text("aye, that is how", "How?")
    item = assistant.preferences.get(f"writing:{writing.id}").item
    key = EffectKey(item.scored_hash, "context", "estimator", "method")
    record = EffectRecord(key, item.id, (0, 3), (3, 4), (-1.0, -2.0), (-3.5, -2.25))
    assistant.store.effects.put_many([record])
    found = assistant.profiles.explain(item.id)
    assert (found.text, found.context, found.left_out) == (item.text, "How?", "")
    assert [(span.start, span.end, span.effect) for span in found.spans] == [(0, 3, 2.5), (3, 4, 0.25)]
    assert [phrase.text for phrase in found.phrases] == ["aye"]


def test_the_explanation_is_of_the_versions_model_and_of_what_counts_as_own_words_now(assistant, used):
    writing = assistant.preferences.add_text("aye, that is how", "How?")
    item = assistant.preferences.get(f"writing:{writing.id}").item

    def scored(estimator: str, logp: float, item_hash: str = item.scored_hash) -> EffectRecord:
        key = EffectKey(item_hash, "context", estimator, "method")
        return EffectRecord(key, item.id, (0,), (3,), (-1.0,), (logp,))

    def shown() -> list[float]:
        return [span.effect for span in assistant.profiles.explain(item.id).spans]

    assistant.store.effects.put_many([scored("a folder's", -1.25)])
    assert shown() == [0.25], "of what is there"
    assistant.store.effects.put_many([scored(f"{used.model_fingerprint}-float32", -3.0), scored("a folder's", -9.0)])
    assert shown() == [2.0]
    assistant.store.effects.put_many([scored(f"{used.model_fingerprint}-float32", -8.0, "with what was pasted")])
    assert shown() == [2.0]


def test_explanation_gives_both_measures_and_says_what_they_were_taken_against(assistant, used):
    writing = assistant.preferences.add_text("aye, that is how it goes")
    item = assistant.preferences.get(f"writing:{writing.id}").item
    key = EffectKey(item.scored_hash, "context", "estimator", "method")
    logps = (math.log(0.5), math.log(0.25)), (math.log(0.25), math.log(0.125))
    assistant.store.effects.put_many([EffectRecord(key, item.id, (0, 3), (3, 4), *logps, ("writing:7", "message:3"))])
    found = assistant.profiles.explain(item.id)
    assert [span.effect for span in found.spans] == pytest.approx([math.log(2), math.log(2)], abs=1e-6)
    assert [span.difference for span in found.spans] == pytest.approx([0.25, 0.125], abs=1e-6)
    assert found.compared_with == ("writing:7", "message:3")
    assert found.unscored == len(item.text) - 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "nothing"),
        (
            {"passages_left_out": 2, "words_left_out": 1500},
            "2 passages in your texts that others wrote (quoted, pasted, forwarded, code: 1,500 words)",
        ),
        ({"tokens_left_out": 1200}, "1,200 tokens at the end of long texts"),
        (
            {"left_out": (LeftOut("writing:1", "too short"),)},
            "1 of your texts (the settings and `assistant profile explain` say why)",
        ),
        ({"tokens_unlearned": 1161}, "1,161 tokens far down long texts, which count for phrases alone"),
        (
            {"items": 10, "history_shown": 25, "history_left_out": 20},
            "each text was compared with 2.5 of the 4.5 before it, on average",
        ),
    ],
)
def test_what_was_left_out_is_said_in_words(changes, words):
    assert left_out_in_words(replace(OUTCOME, **changes)) == words


def test_what_is_left_out_of_a_text_is_known_by_how_it_begins():
    words = ["one", "one two three", "w " * 11 + "w", "x" * 100, "two", "\x1b[2J two three four"]
    counts = (1, 3, 40, 5, 2, 4)
    passages = [
        Passage(n * 10, n * 10 + 5, Reason.PASTED, count, begins)
        for n, (begins, count) in enumerate(zip(words, counts, strict=True))
    ]
    assert passage_lines(passages) == [
        "pasted: “one two three”",
        f"pasted: “{'w ' * 12}…”",
        f"pasted: “{'x' * 59}…”",
        "pasted: “two …”",
        "pasted: “␛[2J two three four”",
    ]


def test_explanation_says_why_an_item_was_not_scored(assistant, used):
    new = assistant.preferences.add_text("three words here")
    short = assistant.preferences.add_text("two words")
    assert assistant.profiles.explain(f"writing:{new.id}").left_out == "it is new since the last rebuild"
    assert assistant.profiles.explain(f"writing:{short.id}").left_out == "too short (under 3 words)"
    with pytest.raises(AssistantError, match="no item"):
        assistant.profiles.explain("writing:999")


def test_export_obeys_llama_cpp_and_has_the_strength_in_it(assistant, used, tmp_path):
    assistant.profiles.set_strength(0.5)
    path = tmp_path / "mine.gguf"
    assistant.profiles.export(path)
    stored = ControlVector.read_gguf(assistant.profiles.vector_path(used))
    tensors = {tensor.name: tensor for tensor in GGUFReader(path).tensors}
    assert set(tensors) == {"direction.1"}
    assert tensors["direction.1"].tensor_type.name == "F32"
    assert tensors["direction.1"].data.ndim == 1
    np.testing.assert_allclose(tensors["direction.1"].data, stored.directions[1] * 0.5, rtol=1e-6)
    assert ControlVector.read_gguf(path).metadata == {"method": "made", "strength": "0.5"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_export_that_cannot_be_written_leaves_what_was_there(assistant, used, tmp_path):
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "file" / "v.gguf", tmp_path / "none" / "v.gguf", tmp_path):
        with pytest.raises(AssistantError, match="cannot be written"):
            assistant.profiles.export(path)
    assistant.profiles.set_strength(0)
    with pytest.raises(AssistantError, match="its strength is 0"):
        assistant.profiles.export(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"


def test_versions_of_another_program_are_named(assistant):
    assistant.store.profiles.add(
        model_fingerprint="x", inputs_hash="x", outcome={}, description="", vector=None, item_hashes={}
    )
    with pytest.raises(AssistantError, match="version 1 was kept by another program version; rebuild it"):
        assistant.profiles.get(1)
