"""Pinned, archived, tagged, titled, forked, deleted and taken back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from storage import conversations
from storage.conversations import UNDO
from storage.errors import NotFoundError
from storage.records import MessageState, Origin, message_item_id
from storage.store import Store
from storage.values import now
from tests.storage.conftest import RawQuery

TYPED = {"state": MessageState.COMPLETE, "origin": Origin.TYPED}
GENERATED = {"state": MessageState.COMPLETE, "origin": Origin.GENERATED}


def titles(store: Store, **chosen) -> list[str]:
    return [talk.title for talk in store.conversations.list(**chosen)]


def test_pinned_come_first_and_archived_apart(store: Store):
    one, two, three = (store.conversations.create(title) for title in ("one", "two", "three"))
    store.conversations.set_pinned(one.id, True)
    store.conversations.set_archived(two.id, True)
    assert titles(store) == ["one", "three"]
    assert titles(store, archived=True) == ["two"]
    assert store.conversations.get(one.id).pinned
    assert not store.conversations.get(three.id).pinned
    store.conversations.set_pinned(one.id, False)
    store.conversations.set_archived(two.id, False)
    assert titles(store) == ["three", "two", "one"]


def test_tags(store: Store):
    one, two = store.conversations.create("one"), store.conversations.create("two")
    store.conversations.set_tags(one.id, ["work", " Garden ", "WORK", "  "])
    store.conversations.set_tags(two.id, ["Work"])
    assert set(store.conversations.get(one.id).tags) == {"work", "Garden"}
    assert titles(store, tag="WORK") == ["two", "one"]
    assert titles(store, tag="garden") == ["one"]
    assert {tag.lower(): count for tag, count in store.conversations.tags().items()} == {"garden": 1, "work": 2}
    store.conversations.set_tags(one.id, [])
    assert store.conversations.get(one.id).tags == ()


def test_an_automatic_title_never_replaces_the_persons(store: Store):
    talk = store.conversations.create()
    assert store.conversations.suggest_title(talk.id, "first line")
    assert store.conversations.suggest_title(talk.id, "by the model")
    store.conversations.give_title(talk.id, "mine")
    assert not store.conversations.suggest_title(talk.id, "by the model again")
    assert store.conversations.get(talk.id).title == "mine"


def test_a_deleted_conversation_is_hidden_and_comes_back(store: Store):
    talk = store.conversations.create("garden")
    own = store.messages.add(talk.id, None, "user", "tomatoes", **TYPED)
    reply = store.messages.add(talk.id, own.id, "assistant", "love sun", **GENERATED)
    store.conversations.set_tags(talk.id, ["green"])
    store.conversations.trash(talk.id)
    assert store.conversations.list() == []
    assert [one.id for one in store.conversations.deleted()] == [talk.id]
    assert store.conversations.tags() == {}
    assert [*store.search.search("garden"), *store.search.search("tomatoes")] == []
    assert (store.messages.typed(), store.messages.replies()) == ([], [])
    store.conversations.restore(talk.id)
    assert titles(store) == ["garden"]
    assert [hit.message_id for hit in store.search.search("tomatoes")] == [own.id]
    assert ([m.id for m, _ in store.messages.typed()], [m.id for m in store.messages.replies()]) == (
        [own.id],
        [reply.id],
    )


def test_after_a_while_a_deletion_is_for_good(path: Path, monkeypatch: pytest.MonkeyPatch):
    with Store(path) as store:
        for title in ("vanishingword", "stays"):
            store.conversations.create(title)
        store.conversations.trash(1)
    with Store(path) as store:
        assert len(store.conversations.deleted()) == 1
        store.conversations.trash(2)
        store.conversations.restore(2)
    later = now() + UNDO + timedelta(seconds=1)
    monkeypatch.setattr(conversations, "now", lambda: later)
    with Store(path) as store:
        assert store.conversations.deleted() == []
        assert titles(store) == ["stays"]
    assert b"vanishingword" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_a_fork_holds_the_branch_and_changes_nothing(store: Store, raw: RawQuery):
    talk = store.conversations.create("talk")
    first = store.messages.add(talk.id, None, "user", "first", **TYPED)
    reply = store.messages.add(talk.id, first.id, "assistant", "reply", **GENERATED, model="m.gguf")
    store.feedback.rate(reply.id, -1)
    edited = store.messages.add(
        *(talk.id, first.id, "assistant", "better"),
        state=MessageState.COMPLETE,
        origin=Origin.EDITED,
        edited_from=reply.id,
    )
    second = store.messages.add(talk.id, edited.id, "user", "second", **TYPED, pasted=[(0, 3)])
    store.messages.add(talk.id, second.id, "assistant", "not in it", **GENERATED)
    before = raw("SELECT * FROM messages")
    fork = store.conversations.fork(second.id)
    assert raw("SELECT * FROM messages WHERE conversation_id = ?", talk.id) == before
    branch = store.messages.branch(fork.active_leaf_id)
    assert [(m.role, m.text, m.origin) for m in branch] == [
        ("user", "first", Origin.TYPED),
        ("assistant", "better", Origin.EDITED),
        ("user", "second", Origin.TYPED),
    ]
    assert [m.pasted_parts for m in branch] == [[], [], ["sec"]]
    assert [m.created_at for m in branch] == [first.created_at, edited.created_at, second.created_at]
    assert {m.conversation_id for m in branch} == {fork.id}
    original = store.messages.get(branch[1].edited_from)
    assert (original.conversation_id, original.text, original.model, original.rating) == (fork.id, "reply", "m.gguf", 0)
    assert fork.title == "talk"
    assert raw("PRAGMA foreign_key_check") == []
    store.conversations.delete(talk.id)
    assert len(store.messages.branch(fork.active_leaf_id)) == 3


def test_what_may_not_be_learned_from_may_not_be_in_a_fork_either(store: Store):
    talk = store.conversations.create("talk")
    first = store.messages.add(talk.id, None, "user", "first", **TYPED)
    second = store.messages.add(talk.id, first.id, "user", "second", **TYPED, pasted=[(0, 3)])
    store.feedback.exclude_item(message_item_id(first.id))
    store.feedback.claim_item(message_item_id(second.id))
    branch = store.messages.branch(store.conversations.fork(second.id).active_leaf_id)
    store.conversations.delete(talk.id)
    assert store.feedback.excluded_items() == {message_item_id(branch[0].id)}
    assert store.feedback.claimed_items() == {message_item_id(branch[1].id)}


def test_a_fork_of_a_reply_in_mid_stream_is_stopped(store: Store):
    talk = store.conversations.create()
    reply = store.messages.add(
        talk.id, None, "assistant", "so fa", state=MessageState.STREAMING, origin=Origin.GENERATED
    )
    fork = store.conversations.fork(reply.id)
    assert store.messages.get(fork.active_leaf_id).state is MessageState.STOPPED
    assert store.messages.get(reply.id).state is MessageState.STREAMING


def test_what_is_not_there(store: Store):
    for call in (
        lambda: store.conversations.trash(7),
        lambda: store.conversations.restore(7),
        lambda: store.conversations.set_pinned(7, True),
        lambda: store.conversations.set_archived(7, True),
        lambda: store.conversations.set_tags(7, ["x"]),
        lambda: store.conversations.give_title(7, "x"),
        lambda: store.conversations.suggest_title(7, "x"),
        lambda: store.conversations.fork(7),
    ):
        with pytest.raises(NotFoundError):
            call()
