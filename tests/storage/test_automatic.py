"""Automatic backups: one a day, seven of them, whole, private; and what is said when the history is damaged."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from storage.automatic import back_up_before, back_up_daily, backups, is_whole, newest_good_backup
from storage.errors import DatabaseUnreadableError, StorageError
from storage.records import MessageState, Origin
from storage.store import Store

DAY = date(2026, 1, 30)
TYPED = {"state": MessageState.COMPLETE, "origin": Origin.TYPED}


def titles(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as copy:
        return [title for (title,) in copy.execute("SELECT title FROM conversations ORDER BY id")]


def damage(path: Path, text: str) -> None:
    """Overwrite the page of the database that holds this text."""
    content = bytearray(path.read_bytes())
    place = content.index(text.encode()) // 4096 * 4096
    content[place : place + 4096] = b"\xa5" * 4096
    path.write_bytes(content)


def test_once_a_day_of_what_is_in_the_log_too_and_private(store: Store, path: Path):
    store.conversations.create("first")
    copy = back_up_daily(path, DAY)
    assert copy.name == "history.db.daily-2026-01-30"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    store.conversations.create("second")
    assert back_up_daily(path, DAY) is None
    assert titles(copy) == ["first"]
    assert titles(back_up_daily(path, DAY + timedelta(days=1))) == ["first", "second"]


def test_seven_days_are_kept_beside_those_of_migrations(store: Store, path: Path):
    before = back_up_before(path, "0009_next")
    made = [back_up_daily(path, DAY + timedelta(days=number)) for number in range(10)]
    assert backups(path) == [before, *made[-7:]]


def test_what_a_killed_process_left_goes_and_what_is_being_made_stays(store: Store, path: Path):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    left = path.with_name(f"history.db.daily-2026-01-29.{gone.pid}.partial")
    making = path.with_name(f"history.db.daily-2026-01-29.{os.getppid()}.partial")
    for file in (left, making):
        file.write_bytes(b"half")
    back_up_daily(path, DAY)
    assert (left.exists(), making.exists()) == (False, True)
    assert newest_good_backup(path).name == "history.db.daily-2026-01-30"


def test_the_newest_whole_backup_is_offered(store: Store, path: Path):
    assert newest_good_backup(path) is None
    store.conversations.create("needle")
    old, new = (back_up_daily(path, DAY + timedelta(days=number)) for number in range(2))
    os.utime(old, (1, 1))
    assert newest_good_backup(path) == new
    damage(new, "needle")
    assert not is_whole(new)
    assert newest_good_backup(path) == old
    old.write_bytes(b"nothing")
    assert newest_good_backup(path) is None


def test_a_damaged_page_leaves_the_rest_readable_and_the_backup_is_named(path: Path):
    with Store(path) as store:
        for name in ("oaks", "elms"):
            talk = store.conversations.create(name)
            store.messages.add(talk.id, None, "user", f"{name} " * 700, **TYPED)  # a page each
        copy = back_up_daily(path, DAY)
    damage(path, "elms elms")
    with Store(path) as store:
        assert [talk.title for talk in store.conversations.list()] == ["elms", "oaks"]
        assert store.messages.get(1).text.startswith("oaks")
        with pytest.raises(DatabaseUnreadableError, match=r"is damaged; what is whole .* can still be read") as caught:
            store.messages.get(2)
        assert f"`assistant restore {copy}`" in str(caught.value)
        store.conversations.create("still written")
        with pytest.raises(DatabaseUnreadableError, match="it was not backed up"):
            back_up_daily(path, DAY + timedelta(days=1))
    assert backups(path) == [copy]
    assert is_whole(copy)


def test_without_a_whole_backup_none_is_offered(path: Path):
    with Store(path) as store:
        talk = store.conversations.create()
        store.messages.add(talk.id, None, "user", "elms " * 2000, **TYPED)
    damage(path, "elms elms")
    with (
        Store(path) as store,
        pytest.raises(DatabaseUnreadableError, match="there is no automatic backup that is whole"),
    ):
        store.messages.get(1)


def test_a_folder_that_cannot_be_written(store: Store, path: Path):
    path.with_name(f"history.db.daily-2026-01-30.{os.getpid()}.partial").mkdir()
    with pytest.raises(StorageError):
        back_up_daily(path, DAY)
