"""What a rebuild needs, told before it begins."""

from __future__ import annotations

import pytest

from assistant.models.header import count_parameters
from assistant.rebuild.eta import TYPICAL_SECONDS
from assistant.rebuild.expectation import Expectation, expect, seconds_by_stage
from steering.models.memory import WORKING_BYTES
from tests.assistant.made import add_profile, vector_bytes

PLENTY = 2**40


def test_it_depends_on_the_model_the_memory_and_the_last_time(assistant):
    def look(last, free):
        return expect(assistant.model, assistant.paths, last, free)

    parameters = count_parameters(assistant.model.path())
    first = look({}, PLENTY)
    assert (first.in_torch, first.convert, first.guessed) == (True, True, True)
    assert first.memory == parameters * 6 + WORKING_BYTES
    assert first.seconds == sum(TYPICAL_SECONDS.values())
    converted = assistant.paths.estimators / assistant.model.fingerprint()
    converted.mkdir(parents=True)
    (converted / "config.json").write_text("{}")
    again = look({"model": 3.0, "effects": 4.0}, PLENTY)
    assert (again.convert, again.guessed, again.seconds) == (False, False, 7.0)
    assert again.memory < first.memory
    assert not look({}, 0).in_torch


def test_each_stage_takes_longer_with_a_larger_model_that_learned_nothing_yet():
    first = seconds_by_stage(405_000_000, {})
    assert first == {stage: pytest.approx(3 * typical) for stage, typical in TYPICAL_SECONDS.items()}
    assert seconds_by_stage(405_000_000, TYPICAL_SECONDS) == TYPICAL_SECONDS


def test_what_was_chosen_counts_whatever_the_memory(assistant):
    for choice, in_torch, convert in (("torch", True, True), ("llama.cpp", False, False), ("/a/folder", True, False)):
        for free in (0, PLENTY):
            found = expect(assistant.model, assistant.paths, {}, free, choice)
            assert (found.in_torch, found.convert) == (in_torch, convert)
    assert "as you chose" in expect(assistant.model, assistant.paths, {}, PLENTY, "llama.cpp").words


def test_it_is_said_in_one_line():
    assert Expectation(True, True, 4_500_000_000, 300.0, True).words == (
        "the chat model learns in torch, converted first; needs up to 4.5 GB and roughly 5 minutes"
    )
    assert Expectation(False, False, 2_000_000_000, 20.0, False).words.endswith(
        "inside llama.cpp, by a weaker method; needs up to 2.0 GB and about 1 minute"
    )


async def test_the_last_rebuild_with_this_model_counts(assistant, tmp_path):
    assert (await assistant.rebuild.expectation()).guessed
    add_profile(assistant, vector_bytes(tmp_path))
    found = await assistant.rebuild.expectation()
    outcome = assistant.store.profiles.list()[0].outcome
    assert found.guessed != bool(outcome["seconds"])
