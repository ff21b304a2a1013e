"""Forgotten text is in no byte of the folder."""

from __future__ import annotations

import random
import sqlite3
import string
from contextlib import closing
from pathlib import Path

import pytest

from storage.automatic import back_up_before, backups, remove_backups
from storage.database import Database
from storage.erasure import without_items
from storage.records import MessageState, Origin, message_item_id, writing_item_id
from storage.store import Store
from tests.storage.conftest import RawQuery

WORD = 12


def words(seed: int, count: int) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(string.ascii_lowercase, k=WORD)) for _ in range(count)]


def found(folder: Path, forgotten: list[str]) -> set[str]:
    """Words of which anything is left; the index stores words without the start they share with another."""
    content = b"".join(file.read_bytes() for file in folder.iterdir()).lower()
    return {word for word in forgotten if word[4:].encode() in content}


def fill(store: Store, title: str, said: list[str]) -> int:
    """A conversation that streams, edits and rates; title, questions and replies hold all of `said`."""
    talk = store.conversations.create(title)
    parent = None
    for start in range(0, len(said), 20):
        own = store.messages.add(
            *(talk.id, parent, "user", " ".join(said[start : start + 10])),
            state=MessageState.COMPLETE,
            origin=Origin.TYPED,
        )
        reply = store.messages.add(
            talk.id, own.id, "assistant", "", state=MessageState.STREAMING, origin=Origin.GENERATED
        )
        for end in range(start + 11, start + 21):
            store.messages.set_text(reply.id, " ".join(said[start + 10 : end]))
        text = " ".join(said[start + 10 : start + 20])
        parent = store.messages.finish(reply.id, text=text, state=MessageState.COMPLETE).id
    return talk.id


def test_a_deleted_conversation_is_in_no_byte(store: Store, path: Path):
    secret, kept = words(1, 800), words(2, 800)
    talks = [fill(store, secret[number], secret[number : number + 400]) for number in range(0, 800, 400)]
    others = [fill(store, kept[number], kept[number : number + 400]) for number in range(0, 800, 400)]
    assert found(path.parent, secret) == set(secret)
    for talk in talks:
        store.conversations.delete(talk)
    assert found(path.parent, secret) == set()
    assert found(path.parent, kept) == set(kept)
    assert [store.messages.branch(store.conversations.get(talk).active_leaf_id)[0].text for talk in others]


def test_text_in_pages_that_were_split_and_joined_is_in_no_byte(store: Store, path: Path):
    """Rows that grow make SQLite move others about, and `secure_delete` does not clear where they were."""
    chance = random.Random(8)
    secret, kept = words(9, 400), words(10, 400)
    gone, stays = store.conversations.create(), store.conversations.create()
    said = [
        (talk, word) for pair in zip(secret, kept, strict=True) for talk, word in zip((gone, stays), pair, strict=True)
    ]
    messages = [
        (store.messages.add(talk.id, None, "user", word, state=MessageState.COMPLETE, origin=Origin.TYPED), word)
        for talk, word in said
    ]
    for message, word in chance.choices(messages, k=600):
        text = " ".join([word] * chance.randrange(1, 150))
        store.messages.finish(message.id, text=text, state=MessageState.COMPLETE)
    store.conversations.delete(gone.id)
    assert found(path.parent, secret) == set()
    assert found(path.parent, kept) == set(kept)


def test_a_deleted_writing_and_profile_are_in_no_byte(store: Store, path: Path):
    (text, phrase, description) = words(3, 3)
    writing, _ = store.writing.add("", text, "typed")
    store.profiles.add(
        model_fingerprint="m",
        inputs_hash="i",
        outcome={"phrases": [{"text": phrase, "item_ids": [writing_item_id(writing.id)]}], "items": 1},
        description=description,
        vector=None,
        item_hashes={writing_item_id(writing.id): "hash"},
    )
    store.writing.delete(writing.id)
    assert found(path.parent, [text, phrase]) == set()
    assert store.profiles.get(1).outcome == {"phrases": [], "items": 1}
    store.profiles.delete(1)
    assert found(path.parent, [description]) == set()


def test_backups_go_when_something_is_forgotten(store: Store, path: Path):
    secret = words(4, 20)
    talk = fill(store, "title", secret)
    back_up_before(path, "0002_notes")
    store.conversations.create("harmless")
    assert len(backups(path)) == 1
    store.conversations.delete(talk)
    assert backups(path) == []
    assert found(path.parent, secret) == set()


def test_what_another_reader_prevents_is_made_up_for(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("storage.database.BUSY_SECONDS", 0.01)
    secret = words(5, 40)
    with Store(path) as store:
        talk = fill(store, "title", secret)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM messages").fetchall()
            store.conversations.delete(talk)
            assert found(path.parent, secret) != set()
            with Store(path) as second:
                assert second.conversations.list() == []
        assert found(path.parent, secret) != set()
    with Store(path) as store:
        assert found(path.parent, secret) == set()
        assert store._db.rows("SELECT * FROM erasures") == []


def test_an_erasure_that_a_kill_cut_short_is_done_when_next_opened(path: Path, monkeypatch: pytest.MonkeyPatch):
    secret = words(6, 40)
    with Store(path) as store:
        talk = fill(store, "title", secret)
    with monkeypatch.context() as patched, Store(path) as store:
        patched.setattr("storage.conversations.erase", lambda db: None)  # as if killed right after the commit
        store.conversations.delete(talk)
    Store(path).close()
    assert found(path.parent, secret) == set()


def test_an_erasure_takes_back_only_the_dues_that_it_has_seen(path: Path, monkeypatch: pytest.MonkeyPatch):
    """Another process removes something once the file is rewritten, and dies before it erases."""
    secret = words(7, 40)
    with Store(path) as store, Store(path) as other:
        gone, left = fill(store, "title", words(8, 20)), fill(store, "title", secret)

        def remove_backups_late(database: Path) -> None:
            remove_backups(database)
            with monkeypatch.context() as patched:
                patched.setattr("storage.conversations.erase", lambda db: None)
                other.conversations.delete(left)

        with monkeypatch.context() as patched:
            patched.setattr("storage.erasure.remove_backups", remove_backups_late)
            store.conversations.delete(gone)
        assert store._db.row("SELECT pending FROM erasures") is not None
    Store(path).close()
    assert found(path.parent, secret) == set()


def test_only_entries_of_the_forgotten_items_leave_an_outcome():
    outcome = {
        "phrases": [
            {"text": "only here", "item_ids": ["message:1"]},
            {"text": "here too", "item_ids": ["message:1", "message:2"]},
            {"text": "elsewhere", "item_ids": ["message:12"]},
            {"text": "of nobody", "item_ids": []},
        ],
        "left_out": [{"item_id": "message:1", "reason": "short"}, {"item_id": "message:2", "reason": "short"}],
        "harm": {"kl": 0.5},
    }
    assert without_items(outcome, frozenset({"message:1"})) == {
        "phrases": [
            {"text": "here too", "item_ids": ["message:2"]},
            {"text": "elsewhere", "item_ids": ["message:12"]},
            {"text": "of nobody", "item_ids": []},
        ],
        "left_out": [{"item_id": "message:2", "reason": "short"}],
        "harm": {"kl": 0.5},
    }


def test_profiles_that_learned_from_a_message_become_stale(store: Store, raw: RawQuery):
    talk = fill(store, "title", words(7, 20))
    leaf = store.conversations.get(talk).active_leaf_id
    for items in ({message_item_id(leaf): "h"}, {message_item_id(leaf * 10): "h"}):
        store.profiles.add(
            *(),
            model_fingerprint="m",
            inputs_hash="i",
            outcome={},
            description="",
            vector=None,
            item_hashes=items,
        )
    store.conversations.delete(talk)
    assert raw("SELECT version, stale FROM profiles ORDER BY version") == [(1, 1), (2, 0)]


def test_nothing_due_changes_nothing(path: Path):
    Store(path).close()
    content = path.read_bytes()
    Database(path).close()
    Store(path).close()
    assert path.read_bytes() == content
