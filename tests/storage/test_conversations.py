from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from storage.errors import NotFoundError
from storage.records import MessageState, Origin, message_item_id
from storage.store import Store
from tests.storage.conftest import RawQuery

TYPED = {"state": MessageState.COMPLETE, "origin": Origin.TYPED}


def test_last_used_first(store: Store):
    first, second, third = (store.conversations.create(title) for title in ("one", "two", "three"))
    store.messages.add(first.id, None, "user", "again", **TYPED)
    assert [talk.title for talk in store.conversations.list()] == ["one", "three", "two"]
    assert [talk.id for talk in store.conversations.list(limit=1, offset=1)] == [third.id]
    store.conversations.rename(second.id, "renamed")
    assert [talk.title for talk in store.conversations.list()] == ["one", "three", "renamed"]


def test_times_are_aware_utc(store: Store, raw: RawQuery):
    made = store.conversations.create()
    assert made.created_at.utcoffset() == timedelta(0)
    assert raw("SELECT created_at FROM conversations") == [(made.created_at.isoformat(timespec="microseconds"),)]


def test_the_active_leaf_must_be_in_the_conversation(store: Store):
    here, there = store.conversations.create(), store.conversations.create()
    message = store.messages.add(here.id, None, "user", "hello", **TYPED)
    other = store.messages.add(here.id, None, "user", "hello again", **TYPED)
    assert store.conversations.get(here.id).active_leaf_id == other.id
    store.conversations.set_active_leaf(here.id, message.id)
    assert store.conversations.get(here.id).active_leaf_id == message.id
    with pytest.raises(NotFoundError):
        store.conversations.set_active_leaf(there.id, message.id)


def test_what_is_not_there(store: Store):
    for call in (
        lambda: store.conversations.get(7),
        lambda: store.conversations.rename(7, "x"),
        lambda: store.conversations.delete(7),
        lambda: store.conversations.set_active_leaf(7, None),
        lambda: store.messages.add(7, None, "user", "x", **TYPED),
    ):
        with pytest.raises(NotFoundError):
            call()


def test_deleting_takes_everything_of_it_and_nothing_else(store: Store, raw: RawQuery):
    gone, kept = store.conversations.create("gone"), store.conversations.create("kept")
    for talk in (gone, kept):
        own = store.messages.add(talk.id, None, "user", "question", **TYPED)
        reply = store.messages.add(talk.id, own.id, "assistant", "answer", **TYPED)
        store.messages.add(talk.id, own.id, "assistant", "better", **TYPED, edited_from=reply.id)
        store.feedback.rate(reply.id, 1)
        store.feedback.exclude_item(message_item_id(own.id))
    store.conversations.delete(gone.id)
    assert raw("SELECT DISTINCT conversation_id FROM messages") == [(kept.id,)]
    assert raw("SELECT count(*) FROM ratings") == [(1,)]
    assert raw("SELECT item_id FROM excluded_items") == [("message:4",)]
    assert {hit.conversation_id for hit in store.search.search("question")} == {kept.id}
    assert raw("PRAGMA foreign_key_check") == []
    assert raw("PRAGMA integrity_check") == [("ok",)]


def test_a_deep_conversation_can_be_deleted(store: Store, raw: RawQuery):
    talk = store.conversations.create()
    parent = None
    with store._db.transaction():  # in one transaction only to save the test's time
        for _ in range(1500):  # deeper than SQLite lets a cascade go
            parent = store._db.write(
                "INSERT INTO messages (conversation_id, parent_id, role, text, state, origin, created_at) "
                "VALUES (?, ?, 'user', 'x', 'complete', 'typed', '2026-01-01T00:00:00.000000+00:00')",
                (talk.id, parent),
            ).lastrowid
    store.conversations.delete(talk.id)
    assert raw("SELECT count(*) FROM messages") == [(0,)]


def test_numbers_are_not_used_twice(store: Store, path: Path):
    talk = store.conversations.create()
    first = store.messages.add(talk.id, None, "user", "x", **TYPED)
    store.conversations.delete(talk.id)
    again = store.conversations.create()
    assert store.messages.add(again.id, None, "user", "y", **TYPED).id > first.id
    assert again.id > talk.id
