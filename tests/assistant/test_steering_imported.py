"""Imported vectors beside, and without, a profile: what is planned, what the engine gets, what replies tell."""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGUFReader

from assistant.app import Assistant
from assistant.conversation.answering import ReplyOptions
from assistant.engine.protocol import Sampling, Steer
from assistant.models.bundled import bundled_model
from assistant.profile.steering import UNSTEERED
from assistant.records import VectorUse
from tests.assistant.conftest import prepare_home, query
from tests.assistant.made import add_profile, vector_bytes
from tests.assistant.test_chat import collect
from tests.assistant.test_steering_plan import plan, reply_to
from tests.tiny_models import write_vector

CALM = {block: np.random.default_rng(block).standard_normal(64).astype(np.float32) for block in (1, 2)}
LEARNED = np.random.default_rng(5).standard_normal(64).astype(np.float32) * 3
"""What `vector_bytes` writes for block 1."""


@pytest.fixture
def calm(assistant, tmp_path):
    """An imported vector at strength -1.5."""
    return assistant.vectors.add(write_vector(tmp_path / "calm.gguf", CALM), strength=-1.5)


@pytest.fixture
def learned(assistant, tmp_path):
    """A version with a vector, in use."""
    return assistant.profiles.use(add_profile(assistant, vector_bytes(tmp_path)).version)


def assert_steers(steer: Steer, expected: dict[int, np.ndarray]) -> None:
    """The file holds exactly these directions and is applied as it is."""
    assert steer.strength == 1.0
    found = {tensor.name: np.array(tensor.data) for tensor in GGUFReader(steer.vector_path).tensors}
    assert found.keys() == {f"direction.{block}" for block in expected}
    for block, direction in expected.items():
        np.testing.assert_allclose(found[f"direction.{block}"], direction, rtol=1e-5, atol=1e-6)


def test_imported_vectors_steer_without_a_profile(assistant, calm):
    found = plan(assistant)
    assert_steers(found.steer, {1: CALM[1] * -1.5, 2: CALM[2] * -1.5})
    status = found.status
    assert (status.on, status.version, status.note, status.words) == (True, None, "", "calm × -1.5")
    assert status.imported == (VectorUse("calm", -1.5),)
    assert found.description == ""
    assert assistant.chat.steering() == status


def test_profile_and_imported_vectors_are_added(assistant, learned, calm, tmp_path):
    assistant.profiles.set_strength(0.5)
    assistant.vectors.add(write_vector(tmp_path / "extra.gguf", {2: CALM[1]}), strength=0.25)
    found = plan(assistant)
    both = {1: LEARNED * 0.5 + CALM[1] * -1.5, 2: CALM[2] * -1.5 + CALM[1] * 0.25}
    assert_steers(found.steer, both)
    assert found.status.words == f"v{learned.version} × 0.5 + calm × -1.5 + extra × 0.25"
    assert found.status.note == ""
    assert_steers(plan(assistant, strength=1.5).steer, both | {1: LEARNED * 1.5 + CALM[1] * -1.5})


@pytest.mark.parametrize("form", ["description", "both"])
def test_a_description_and_imported_vectors_go_together(assistant, calm, tmp_path, form):
    vector = vector_bytes(tmp_path) if form == "both" else None
    version = assistant.profiles.use(add_profile(assistant, vector, form=form).version).version
    found = plan(assistant)
    assert "Says aye." in found.description
    assert_steers(found.steer, {1: CALM[1] * -1.5 + (LEARNED if vector else 0), 2: CALM[2] * -1.5})
    assert found.status.words == f"v{version} × 1.0 + calm × -1.5"


def test_a_profile_that_is_off_leaves_the_imported_vectors_and_is_said(assistant, learned, calm, tmp_path):
    def assert_calm_alone(note: str) -> None:
        found = plan(assistant)
        assert_steers(found.steer, {1: CALM[1] * -1.5, 2: CALM[2] * -1.5})
        assert (found.status.on, found.status.version, found.status.words) == (True, None, "calm × -1.5")
        assert (found.status.note, found.description) == (note, "")

    assistant.profiles.set_strength(0)
    assert_calm_alone("profile: strength 0")
    assistant.profiles.set_enabled(False)
    assert_calm_alone("profile: switched off")
    other = add_profile(assistant, vector_bytes(tmp_path), fingerprint="of another model", form="both")
    assistant.profiles.use(other.version)
    assert_calm_alone("profile: for another model")
    assistant.store._db.write("UPDATE profiles SET outcome = '{}'")
    assert_calm_alone("profile: kept by another version; rebuild")


def test_strength_zero_of_the_moment_is_without_imported_vectors_too(assistant, learned, calm):
    found = plan(assistant, strength=0.0)
    assert (found.steer, found.description) == (UNSTEERED, "")
    assert (found.status.on, found.status.imported, found.status.words) == (False, (), "")
    assert list(assistant.paths.profiles.iterdir()) == []


def test_a_vector_that_is_off_is_not_added(assistant, learned, calm):
    for switch in (
        lambda: assistant.vectors.set_enabled("calm", False),
        lambda: assistant.vectors.set_enabled("calm", True) and assistant.vectors.set_strength("calm", 0),
    ):
        switch()
        found = plan(assistant)
        assert found.steer == Steer(str(assistant.profiles.vector_path(learned)), 1.0)
        assert found.status.words == f"v{learned.version} × 1.0"


def test_asking_for_the_status_writes_no_file(assistant, learned, calm):
    assert assistant.chat.steering().on
    assert list(assistant.paths.profiles.iterdir()) == []


async def test_replies_obey_the_vectors_of_the_moment_and_tell_them(assistant, home, learned, calm):
    by_both = await reply_to(assistant)
    assert (by_both.profile_version, by_both.vectors) == (learned.version, (VectorUse("calm", -1.5),))
    plain = await reply_to(assistant, strength=0.0)
    assert (plain.profile_version, plain.strength, plain.vectors) == (None, None, ())
    assistant.profiles.set_enabled(False)
    by_calm = await reply_to(assistant)
    assert (by_calm.profile_version, by_calm.strength, by_calm.vectors) == (None, None, by_both.vectors)
    assistant.vectors.set_strength("calm", 1.5)
    reversed_calm = await reply_to(assistant)
    assert len({by_both.text, plain.text, by_calm.text, reversed_calm.text}) == 4
    assistant.vectors.set_enabled("calm", False)
    assert (await reply_to(assistant)).text == plain.text
    assistant.vectors.set_enabled("calm", True)
    assistant.vectors.set_strength("calm", -1.5)
    assert (await reply_to(assistant)).text == by_calm.text
    told = query(home, "SELECT vectors FROM messages WHERE role = 'assistant' ORDER BY id")
    assert told[:2] == [('[{"name": "calm", "strength": -1.5}]',), ("[]",)]


async def test_a_removed_vector_no_longer_steers_and_what_it_steered_still_tells(assistant, calm):
    steered = await reply_to(assistant)
    assistant.vectors.remove("calm")
    assert (await reply_to(assistant)).text == (await reply_to(assistant, strength=0.0)).text != steered.text
    assert assistant.store.messages.get(steered.id).vectors == (VectorUse("calm", -1.5),)


@pytest.mark.bundled
async def test_the_bundled_model_obeys_an_imported_vector_and_off_is_as_without_it(tmp_path):
    assistant = Assistant.open(prepare_home(tmp_path / "home", bundled_model()))
    direction = np.random.default_rng(7).standard_normal(576).astype(np.float32) / 4
    assistant.vectors.add(write_vector(tmp_path / "odd.gguf", dict.fromkeys(range(10, 20), direction)))
    sampling = Sampling(temperature=0, max_tokens=24)

    async def say(strength: float | None = None) -> tuple[str, str]:
        conversation = assistant.chat.new_conversation()
        options = ReplyOptions(strength=strength, sampling=sampling)
        reply = (await collect(assistant.chat.send(conversation.id, "Name three colours.", options)))[-1].message
        return reply.text, " + ".join(use.name for use in reply.vectors)

    steered = await say()
    plain = await say(strength=0.0)
    assert (steered[1], plain[1]) == ("odd", "")
    assert steered[0] != plain[0]
    assistant.vectors.set_enabled("odd", False)
    assert await say() == plain
    assistant.vectors.set_enabled("odd", True)
    assert await say() == steered
    await assistant.close()
