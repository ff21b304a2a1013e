"""Where a history cannot be written it can be read, and every write says why it cannot be done."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from storage import database
from storage.errors import DatabaseReadOnlyError, DiskFullError, StorageError
from storage.records import MessageState, Origin
from storage.store import Store

TYPED = {"state": MessageState.COMPLETE, "origin": Origin.TYPED}


@pytest.fixture(params=[DiskFullError, DatabaseReadOnlyError])
def refusal(request, path: Path, monkeypatch: pytest.MonkeyPatch) -> type[StorageError]:
    """A history of one message on a disk that takes no more."""
    with Store(path) as store:
        talk = store.conversations.create("garden")
        store.messages.add(talk.id, None, "user", "tomatoes love sun", **TYPED)

    def refuse(path: Path) -> None:
        raise request.param(f"{path}: the disk takes no more; do something")

    monkeypatch.setattr(database, "make_private", refuse)
    return request.param


def read_and_refused(path: Path, refusal: type[StorageError]) -> None:
    with Store(path) as store:
        assert store.refusal.endswith("the disk takes no more; do something")
        assert [talk.title for talk in store.conversations.list()] == ["garden"]
        assert store.messages.get(1).text == "tomatoes love sun"
        assert [hit.message_id for hit in store.search.search("tomatoes")] == [1]
        for write in (
            store.conversations.create,
            lambda: store.feedback.rate(1, 1),
            lambda: store.conversations.delete(1),
            lambda: store.messages.finish(1, text="other", state=MessageState.COMPLETE),
        ):
            with pytest.raises(refusal, match="the disk takes no more"):
                write()
        assert store.messages.get(1).text == "tomatoes love sun"


def test_it_is_read_and_stays_as_it_is(path: Path, refusal: type[StorageError]):
    before = path.read_bytes()
    read_and_refused(path, refusal)
    assert path.read_bytes() == before


def test_without_room_for_a_log_the_file_alone_is_read(path: Path, refusal: type[StorageError], monkeypatch):
    connected = database._connected

    def no_room(name: str):
        if name.endswith("mode=ro"):
            raise sqlite3.OperationalError("unable to open database file")
        return connected(name)

    monkeypatch.setattr(database, "_connected", no_room)
    read_and_refused(path, refusal)


def test_what_another_program_just_wrote_is_read_too(path: Path, refusal, monkeypatch: pytest.MonkeyPatch):
    refuse = database.make_private
    monkeypatch.setattr(database, "make_private", lambda path: None)
    with Store(path) as other:
        other.conversations.create("in the log")
        monkeypatch.setattr(database, "make_private", refuse)
        with Store(path) as store:
            assert [talk.title for talk in store.conversations.list()] == ["in the log", "garden"]


def test_where_there_is_nothing_to_read_the_refusal_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: Path) -> None:
        raise DiskFullError("no space")

    monkeypatch.setattr(database, "make_private", refuse)
    with pytest.raises(DiskFullError, match="no space"):
        Store(tmp_path / "history.db")
    assert list(tmp_path.iterdir()) == []
