"""What is chosen to be forgotten, counted, and gone with all that came from it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.automatic import back_up_before
from storage.erasure import forget_items
from storage.errors import NotFoundError
from storage.records import EffectKey, EffectRecord, Forgotten, MessageState, Origin, message_item_id, writing_item_id
from storage.store import Store
from tests.storage.conftest import RawQuery

TYPED = {"state": MessageState.COMPLETE, "origin": Origin.TYPED}
GENERATED = {"state": MessageState.COMPLETE, "origin": Origin.GENERATED}


def profile(store: Store, *items: str, description: str = "", phrases: tuple[str, ...] = ()) -> int:
    return store.profiles.add(
        model_fingerprint="m",
        inputs_hash="i",
        outcome={"description": description, "phrases": [{"text": text, "item_ids": list(items)} for text in phrases]},
        description=description,
        vector=b"vector",
        item_hashes=dict.fromkeys(items, "hash"),
    ).version


def exchange(store: Store, talk: int, parent: int | None, said: str, reply: str) -> tuple[int, int]:
    own = store.messages.add(talk, parent, "user", said, **TYPED).id
    return own, store.messages.add(talk, own, "assistant", reply, **GENERATED).id


def test_a_message_goes_with_all_below_it_and_the_branch_beside_it_is_shown(store: Store):
    talk = store.conversations.create("mine")
    store.conversations.give_title(talk.id, "mine")
    first, reply = exchange(store, talk.id, None, "one", "1")
    beside, _ = exchange(store, talk.id, reply, "two", "2")
    gone, _ = exchange(store, talk.id, reply, "three", "3")
    doomed = store.forgetting.messages([gone])
    assert store.forgetting.forecast(doomed) == Forgotten(0, 2, 0, 0, (), None, 0, ())
    assert store.messages.get(gone).text == "three"
    assert store.forgetting.forget(doomed).erased
    leaf = store.conversations.get(talk.id).active_leaf_id
    assert [m.id for m in store.messages.branch(leaf)] == [first, reply, beside, beside + 1]
    assert store.messages.get(beside).sibling_count == 1
    assert store.conversations.get(talk.id).title == "mine"


def test_a_conversation_of_which_nothing_is_left_goes(store: Store):
    talk = store.conversations.create("title")
    first, _ = exchange(store, talk.id, None, "one", "1")
    assert store.forgetting.forget(store.forgetting.messages([first])).conversations == 1
    assert store.conversations.list() == []


def test_many_conversations_go_in_one_step(store: Store, monkeypatch: pytest.MonkeyPatch):
    """Each would read all that was ever learned."""
    for number in range(20):
        exchange(store, store.conversations.create().id, None, f"one {number}", "1")
    calls: list[int] = []
    monkeypatch.setattr("storage.removal.forget_items", lambda db, ids: calls.append(len(ids)) or forget_items(db, ids))
    assert store.forgetting.forget(store.forgetting.containing("one")).conversations == 20
    assert store.conversations.list() == []
    assert sum(calls) <= 3 * 40 and len(calls) <= 4


def test_an_automatic_title_goes_with_the_first_exchange(store: Store):
    talk = store.conversations.create()
    store.conversations.suggest_title(talk.id, "secret plans…")
    first, _ = exchange(store, talk.id, None, "secret plans for the garden", "fine")
    exchange(store, talk.id, None, "another beginning", "fine")
    store.forgetting.forget(store.forgetting.messages([first]))
    assert store.conversations.get(talk.id).title == ""


def test_what_came_later_stays_and_begins_where_it_is_cut(store: Store, raw: RawQuery):
    talk = store.conversations.create()
    first, reply = exchange(store, talk.id, None, "old", "old reply")
    second, answer = exchange(store, talk.id, reply, "new", "new reply")
    other, _ = exchange(store, store.conversations.create().id, None, "old too", "old reply")
    writing, _ = store.writing.add("", "an old text", "typed", datetime(2019, 5, 1, tzinfo=UTC))
    for number in (first, reply, other, other + 1):
        raw("UPDATE messages SET created_at = '2020-01-01T00:00:00.000000+00:00' WHERE id = ?", number)
    found = store.forgetting.forget(store.forgetting.before(datetime(2021, 1, 1, tzinfo=UTC)))
    assert (found.conversations, found.messages, found.writings) == (1, 4, 1)
    assert [m.id for m in store.messages.branch(answer)] == [second, answer]
    assert store.conversations.get(talk.id).active_leaf_id == answer
    assert store.writing.list() == []
    with pytest.raises(NotFoundError):
        store.writing.get(writing.id)


def test_a_text_is_found_wherever_it_stands(store: Store, path: Path):
    talk = store.conversations.create("The CAFE\u0301 plan")
    other, _ = exchange(store, talk.id, None, "hello", "hello")
    _, tail = exchange(store, talk.id, other, "to the ｃａｆé then", "yes")
    store.conversations.set_tags(talk.id, ["Café", "plain"])
    store.writing.add("about a café", "text", "typed")
    store.feedback.veto_phrase("café au lait")
    store.feedback.veto_phrase("plain")
    version = profile(store, message_item_id(other), description="Likes tea.\nLikes the Café.", phrases=("tea",))
    found = store.forgetting.forget(store.forgetting.containing("café"))
    assert (found.conversations, found.messages, found.writings, found.titles) == (0, 2, 1, 1)
    assert [m.id for m in store.messages.branch(store.conversations.get(talk.id).active_leaf_id)] == [other, other + 1]
    assert store.conversations.get(talk.id).tags == ("plain",)
    assert store.feedback.vetoed_phrases() == ["plain"]
    assert store.profiles.get(version).description == "Likes tea."
    assert store.profiles.get(version).outcome["description"] == "Likes tea."
    assert not store.profiles.get(version).stale
    with pytest.raises(NotFoundError):
        store.messages.get(tail)
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"caf" not in content.lower()
    with pytest.raises(ValueError, match="no text"):
        store.forgetting.containing(" ")


def test_profiles_become_stale_and_lose_what_only_the_forgotten_said(store: Store):
    talk = store.conversations.create()
    gone, _ = exchange(store, talk.id, None, "tell me of zeppelins and gardens", "yes")
    kept, _ = exchange(store, store.conversations.create().id, None, "gardens please", "yes")
    learned, other = message_item_id(gone), message_item_id(kept)
    version = profile(store, learned, other, description="Writes of gardens.\nLikes zeppelins.", phrases=("zeppelins",))
    elsewhere = profile(store, other, description="Nothing of it.")
    store.profiles.set_state(version=version, enabled=True)
    found = store.forgetting.forget(store.forgetting.conversations([talk.id]))
    assert (found.profiles, found.profile_in_use) == ((version,), version)
    assert store.profiles.get(version).stale
    assert store.profiles.get(version).description == "Writes of gardens."
    assert store.profiles.get(version).outcome == {
        "description": "Writes of gardens.",
        "phrases": [{"text": "zeppelins", "item_ids": [other]}],
    }
    assert not store.profiles.get(elsewhere).stale
    assert store.profiles.state().enabled


def test_profiles_can_go_with_it_and_steering_is_off_then(store: Store):
    writing, _ = store.writing.add("", "zeppelins are fine", "typed")
    version = profile(store, writing_item_id(writing.id), description="Likes zeppelins.")
    store.profiles.set_state(version=version, enabled=True)
    doomed = store.forgetting.items([writing_item_id(writing.id)])
    store.forgetting.forget(doomed, remove_versions=True)
    assert store.profiles.list() == []
    assert (store.profiles.state().version, store.profiles.state().enabled) == (None, False)


def test_forks_that_keep_a_copy_and_backups_are_told(store: Store, path: Path):
    talk = store.conversations.create()
    _, reply = exchange(store, talk.id, None, "hello there", "hello")
    fork = store.conversations.fork(reply)
    exchange(store, talk.id, None, "hello there", "hello")  # the same words at another time are no copy
    back_up_before(path, "0009_next")
    found = store.forgetting.forecast(store.forgetting.conversations([talk.id]))
    assert (found.copies_in, found.backups) == ((fork.id,), 1)
    both = store.forgetting.conversations([talk.id, fork.id])
    assert store.forgetting.forecast(both).copies_in == ()


def test_a_rebuild_that_ends_after_the_forgetting_brings_nothing_back(store: Store, raw: RawQuery):
    talk = store.conversations.create()
    gone, _ = exchange(store, talk.id, None, "one", "1")
    kept, _ = exchange(store, store.conversations.create().id, None, "two", "2")
    store.conversations.delete(talk.id)
    learned, other = message_item_id(gone), message_item_id(kept)

    def effect(item: str, *history: str) -> EffectRecord:
        return EffectRecord(EffectKey(item, "c", "e", "m"), item, (0,), (1,), (-1.0,), (-2.0,), history)

    store.effects.put_many([effect(learned), effect(other, learned), effect(other)])
    assert [record.history for record in store.effects.for_items([learned, other])] == [()]
    version = profile(store, learned, other, phrases=("one",))
    assert store.profiles.get(version).stale
    assert store.profiles.get(version).item_hashes == {other: "hash"}
    assert raw("SELECT * FROM erasures") == []


@pytest.mark.parametrize(
    "choose",
    [
        lambda store: store.forgetting.conversations([1]),
        lambda store: store.forgetting.messages([1]),
        lambda store: store.forgetting.items(["message:1"]),
        lambda store: store.forgetting.items(["writing:1"]),
        lambda store: store.forgetting.items(["profile:1"]),
    ],
)
def test_what_is_not_there(store: Store, choose):
    with pytest.raises(NotFoundError):
        choose(store)


def test_what_was_pasted_and_the_claim_to_it_go_with_the_message(store: Store, path: Path, raw: RawQuery):
    talk = store.conversations.create("talk")
    store.messages.add(talk.id, None, "user", "kept words", **TYPED, pasted=[(0, 4)])
    own = store.messages.add(talk.id, 1, "user", "look: unforgettable words", **TYPED, pasted=[(6, 19)])
    store.drafts.keep(talk.id, "unforgettable", [(0, 13)])
    store.drafts.keep(talk.id, "")
    for number in (1, own.id):
        store.feedback.claim_item(message_item_id(number))
    store.forgetting.forget(store.forgetting.messages([own.id]))
    assert store.feedback.claimed_items() == {message_item_id(1)}
    assert raw("SELECT id, pasted FROM messages") == [(1, "[[0, 4]]")]
    assert not [file for file in path.parent.iterdir() if b"unforgettable" in file.read_bytes()]
