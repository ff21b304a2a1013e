"""Whether the next reply is steered, and that the engine then is."""

from __future__ import annotations

import stat
from contextlib import aclosing
from dataclasses import replace

import pytest

from assistant.conversation.answering import ReplyOptions, ReplyStarted
from assistant.errors import AssistantError
from assistant.profile.steering import UNSTEERED, plan_steering
from assistant.records import MessageState
from tests.assistant.made import add_profile, vector_bytes
from tests.assistant.test_chat import GREEDY, collect, say


def plan(assistant, strength=None):
    return plan_steering(assistant.profiles, assistant.vectors, assistant.model.fingerprint(), strength=strength)


async def reply_to(assistant, strength=None) -> str:
    conversation = assistant.chat.new_conversation()
    options = ReplyOptions(strength=strength, sampling=GREEDY)
    return (await collect(assistant.chat.send(conversation.id, "hello you", options)))[-1].message


@pytest.fixture
def vector(tmp_path) -> bytes:
    return vector_bytes(tmp_path)


@pytest.fixture
def steered(assistant, vector):
    """A version with a vector, in use."""
    return assistant.profiles.use(add_profile(assistant, vector).version)


def test_no_profile(assistant):
    found = plan(assistant)
    assert (found.steer, found.description) == (UNSTEERED, "")
    assert (found.status.on, found.status.version, found.status.note) == (False, None, "no profile yet")
    assert assistant.chat.steering() == found.status


def test_profile_of_another_model(assistant, vector):
    version = add_profile(assistant, vector, fingerprint="of another model").version
    assistant.profiles.use(version)
    found = plan(assistant)
    assert (found.steer, found.status.on, found.status.version) == (UNSTEERED, False, version)
    assert found.status.note == "the profile is for another model"


def test_off_is_off_and_a_strength_of_the_moment_overrides_it(assistant, steered):
    assistant.profiles.set_enabled(False)
    assert (plan(assistant).status.on, plan(assistant).status.note) == (False, "switched off")
    assert plan(assistant, strength=0.5).steer.strength == 0.5
    assert plan(assistant, strength=0.0).steer == UNSTEERED


def test_strength_zero_is_off_in_every_form(assistant, vector):
    for form, data in (("vector", vector), ("description", None), ("both", vector)):
        assistant.profiles.use(add_profile(assistant, data, form=form).version)
        assistant.profiles.set_strength(0)
        found = plan(assistant)
        assert (found.steer, found.description, found.status.on) == (UNSTEERED, "", False)
        assert found.status.note == "strength 0"


@pytest.mark.parametrize(
    ("form", "has_vector", "describes"),
    [("vector", True, False), ("description", False, True), ("both", True, True)],
)
def test_form_says_what_is_put_in(assistant, vector, form, has_vector, describes):
    assistant.profiles.use(add_profile(assistant, vector if has_vector else None, form=form).version)
    found = plan(assistant)
    assert found.status.on
    assert (found.steer.vector_path is not None) == has_vector
    assert ("Says aye." in found.description) == describes


def test_own_words_are_always_put_in_and_may_be_emptied(assistant, steered):
    assert plan(assistant).description == ""
    assistant.profiles.set_description("  Be brief.  ")
    assert plan(assistant).description.endswith("Be brief.")
    assistant.profiles.set_description("   ")
    assert plan(assistant).description == ""


@pytest.mark.parametrize("form", ["description", "none"])
def test_version_whose_description_is_emptied_steers_nothing(assistant, form):
    version = add_profile(assistant, None, form=form).version
    assistant.store.profiles.set_state(version=version, enabled=True)
    assistant.profiles.set_description(" ")
    found = plan(assistant)
    assert (found.steer, found.description, found.status.on) == (UNSTEERED, "", False)
    assert found.status.note == "its description is empty"
    with pytest.raises(AssistantError, match="nothing to steer with: its description is empty"):
        assistant.profiles.use(version)
    assistant.profiles.set_description("Be brief.")
    assert plan(assistant).status.on


def test_nothing_to_gain(assistant):
    version = add_profile(assistant, None, form="none").version
    assistant.store.profiles.set_state(version=version, enabled=True)
    assert plan(assistant).status.note == "nothing to gain found"


def test_stale_profile_steers_and_says_so(assistant, vector):
    forgotten = assistant.preferences.add_text("Oats before noon, always.")
    version = add_profile(assistant, vector, learned=(f"writing:{forgotten.id}",)).version
    assistant.profiles.use(version)
    assistant.store.writing.delete(forgotten.id)
    status = plan(assistant).status
    assert (status.on, status.note) == (True, "a text it was learned from is gone")


def test_vector_file_is_private_and_equal_to_the_stored_bytes(assistant, steered, vector):
    path = assistant.profiles.vector_path(steered)
    assert path.read_bytes() == vector
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"something else")
    assert assistant.profiles.vector_path(steered).read_bytes() == vector
    path.unlink()
    assert assistant.profiles.vector_path(steered).read_bytes() == vector
    assert [file.name for file in path.parent.iterdir()] == [path.name]


async def test_steered_reply_differs_and_strength_zero_is_exactly_unsteered(assistant, steered):
    by_profile = await reply_to(assistant)
    assert (by_profile.profile_version, by_profile.strength) == (steered.version, 1.0)
    without = await reply_to(assistant, strength=0.0)
    assert (without.profile_version, without.strength) == (None, None)
    assistant.profiles.set_enabled(False)
    assert (await reply_to(assistant)).text == without.text != by_profile.text
    assert (await reply_to(assistant, strength=1.0)).text == by_profile.text


async def test_roll_back_obeys_from_the_next_message_on(assistant, steered, tmp_path):
    first = await reply_to(assistant)
    second = assistant.profiles.use(add_profile(assistant, vector_bytes(tmp_path, seed=6)).version)
    assert (await reply_to(assistant)).text != first.text
    assistant.profiles.use(steered.version)
    again = await reply_to(assistant)
    assert (again.text, again.profile_version) == (first.text, second.version - 1)


async def test_started_reply_tells_its_steering(assistant, steered):
    conversation = assistant.chat.new_conversation()
    async with aclosing(assistant.chat.send(conversation.id, "hello")) as events:
        async for event in events:
            if isinstance(event, ReplyStarted):
                assert (event.steering.on, event.steering.version) == (True, steered.version)


async def test_profile_of_an_older_program_neither_steers_nor_stops_a_chat(assistant, steered):
    outcome = {"items": 3}
    record = assistant.store.profiles.add(
        model_fingerprint=assistant.model.fingerprint(),
        inputs_hash="old",
        outcome=outcome,
        description="",
        vector=None,
        item_hashes={},
    )
    assistant.store.profiles.set_state(version=record.version, enabled=True)
    conversation = assistant.chat.new_conversation()
    assert (await say(assistant, conversation.id, "hello")).state is MessageState.COMPLETE
    assert assistant.chat.steering().note == "kept by another version; rebuild"
    assert replace(assistant.chat.steering(), note="").on is False
