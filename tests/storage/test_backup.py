from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from storage.automatic import backups
from storage.backup import make_backup, restore_backup
from storage.errors import DatabaseLockedError, DatabaseNewerError, DatabaseUnreadableError, StorageError
from storage.private_output import private_output, to_disk
from storage.store import Store


@pytest.fixture(autouse=True)
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def titles(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT title FROM conversations ORDER BY id")]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def files(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if ".daily-" not in file.name}


def test_a_backup_is_whole_and_private(store: Store, path: Path, tmp_path: Path):
    store.conversations.create("one")
    target = tmp_path / "kept.db"
    make_backup(path, target)
    store.conversations.create("two")
    assert titles(target) == ["one"]
    assert mode(target) == 0o600
    assert files(tmp_path) == {"kept.db", "data"}
    with closing(sqlite3.connect(target)) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_backup_replaces_nothing_unasked(store: Store, path: Path, tmp_path: Path):
    target = tmp_path / "kept.db"
    target.write_text("precious")
    with pytest.raises(StorageError, match=r"kept\.db: exists already"):
        make_backup(path, target)
    assert target.read_text() == "precious"
    make_backup(path, target, force=True)
    assert titles(target) == []
    assert files(tmp_path) == {"kept.db", "data"}


@pytest.mark.parametrize("target", ["missing/kept.db", "data"])
def test_places_that_do_not_serve(store: Store, path: Path, tmp_path: Path, target: str):
    with pytest.raises(StorageError, match=target.split("/", maxsplit=1)[0]):
        make_backup(path, tmp_path / target, force=True)
    assert files(tmp_path) == {"data"}


def test_a_link_is_replaced_and_not_followed(tmp_path: Path):
    (tmp_path / "elsewhere").write_text("precious")
    (tmp_path / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="exists already"), private_output(tmp_path / "out", force=False):
        pass
    with private_output(tmp_path / "out", force=True) as partial:
        partial.write_text("new")
    assert ((tmp_path / "elsewhere").read_text(), (tmp_path / "out").read_text()) == ("precious", "new")
    assert not (tmp_path / "out").is_symlink()


def test_what_fails_half_way_leaves_nothing(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt), private_output(tmp_path / "out", force=False) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt
    assert files(tmp_path) == set()


@pytest.fixture
def two(path: Path, tmp_path: Path) -> Path:
    """A backup with one conversation of a history that has two by now."""
    with Store(path) as store:
        store.conversations.create("one")
        make_backup(path, tmp_path / "kept.db")
        store.conversations.create("two")
    return tmp_path / "kept.db"


WRITE = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0).execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as error:
    print(error)
"""


def test_restore_keeps_what_was_there(two: Path, path: Path):
    kept = restore_backup(path, two)
    assert kept is not None and kept in backups(path)
    assert (titles(path), titles(kept), titles(two)) == (["one"], ["one", "two"], ["one"])
    assert {mode(path), mode(kept)} == {0o600}
    assert files(path.parent) == {path.name, kept.name}
    with Store(path) as store:
        assert [talk.title for talk in store.conversations.list()] == ["one"]


def test_what_was_kept_is_still_there_after_the_next_start(path: Path, tmp_path: Path):
    """The backup was made while a conversation could still be brought back: that is over by now."""
    with Store(path) as store:
        store.conversations.create("one")
        store.conversations.trash(store.conversations.create("thrown away").id)
        make_backup(path, tmp_path / "kept.db")
        store.conversations.create("three days of work")
    with closing(sqlite3.connect(tmp_path / "kept.db")) as connection:
        connection.execute("UPDATE conversations SET deleted_at = '2020-01-01' WHERE deleted_at IS NOT NULL")
        connection.commit()
    kept = restore_backup(path, tmp_path / "kept.db")
    with Store(path) as store:
        assert [talk.title for talk in store.conversations.list()] == ["one"]
    assert kept is not None and "three days of work" in titles(kept)
    assert "thrown away" not in titles(path)


def test_nobody_gets_in_while_the_present_history_is_kept(two: Path, path: Path, monkeypatch: pytest.MonkeyPatch):
    """POSIX locks go with the first descriptor that is closed: another process tries right after the copy is made."""
    tried: list[str] = []

    def try_to_write(file: Path) -> None:
        to_disk(file)
        if "before-restore" in file.name:
            other = subprocess.run([sys.executable, "-c", WRITE, str(path)], capture_output=True, text=True, check=True)
            tried.append(other.stdout.strip())

    monkeypatch.setattr("storage.backup.to_disk", try_to_write)
    kept = restore_backup(path, two)
    assert tried == ["database is locked"]
    assert kept is not None
    assert (titles(path), titles(kept)) == (["one"], ["one", "two"])


def test_restore_into_an_empty_home(two: Path, tmp_path: Path):
    new = tmp_path / "new" / "data" / "history.db"
    assert restore_backup(new, two) is None
    assert (titles(new), mode(new), mode(new.parent)) == (["one"], 0o600, 0o700)


@pytest.mark.parametrize("damage", ["zeros", "text", "empty", "page"])
def test_restore_in_place_of_a_damaged_history(two: Path, path: Path, damage: str):
    data = path.read_bytes()
    broken = {
        "zeros": b"\0" * len(data),
        "text": b"not a database at all",
        "empty": b"",
        "page": data[:4096] + b"\xff" * 4096 + data[8192:],
    }[damage]
    path.write_bytes(broken)
    path.with_name(f"{path.name}-wal").write_bytes(b"a log that belongs to it")
    kept = restore_backup(path, two)
    assert kept is not None
    assert kept.read_bytes() == broken
    assert titles(path) == ["one"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_restore_takes_what_is_still_in_the_log_of_a_copy(path: Path, tmp_path: Path):
    """Somebody copied the files of a running assistant."""
    copy = tmp_path / "copied.db"
    with Store(path) as store:
        store.conversations.create("in the log")
        for suffix in ("", "-wal"):
            copy.with_name(copy.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
    new = tmp_path / "new" / "history.db"
    restore_backup(new, copy)
    assert titles(new) == ["in the log"]
    assert files(new.parent) == {"history.db"}


def unusable(two: Path, kind: str) -> None:
    if kind == "truncated":
        two.write_bytes(two.read_bytes()[:-5000])
        return
    if kind == "page":
        data = two.read_bytes()
        two.write_bytes(data[:4096] + b"\xff" * 4096 + data[8192:])
        return
    with closing(sqlite3.connect(two)) as connection:
        if kind == "foreign":
            connection.execute("PRAGMA application_id = 7")
        else:
            connection.execute(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)", NEWER
            )
        connection.commit()


NEWER = ("private-assistant", "9999_flying", "2030-01-01")


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("truncated", DatabaseUnreadableError),
        ("page", DatabaseUnreadableError),
        ("foreign", DatabaseUnreadableError),
        ("newer", DatabaseNewerError),
    ],
)
def test_what_cannot_be_restored_changes_nothing(two: Path, path: Path, kind: str, error: type[StorageError]):
    unusable(two, kind)
    with pytest.raises(error, match=r"kept\.db"):
        restore_backup(path, two)
    assert titles(path) == ["one", "two"]
    assert files(path.parent) == {path.name}


@pytest.mark.parametrize("content", [None, b"", b"text", b"SQLite format 3\0"])
def test_files_that_are_no_backup(path: Path, tmp_path: Path, content: bytes | None):
    file = tmp_path / "some.db"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StorageError, match=r"some\.db"):
        restore_backup(path, file)
    assert not path.exists()


OPEN = """
import sys; from pathlib import Path; from storage.store import Store
with Store(Path(sys.argv[1])) as store:
    store.conversations.list(); print("open", flush=True); sys.stdin.read()
"""


def test_restore_refuses_while_another_process_has_the_history_open(two: Path, path: Path):
    arguments = [sys.executable, "-c", OPEN, str(path)]
    root = Path(__file__).resolve().parents[2]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(arguments, cwd=root, text=True, **pipes) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(DatabaseLockedError, match="is open in another assistant; close that"):
            restore_backup(path, two)
        other.stdin.close()
        other.wait()
    assert titles(path) == ["one", "two"]
    assert restore_backup(path, two) is not None


@pytest.mark.parametrize("log", ["", "unwritten frames"])
def test_a_history_that_has_no_room_beside_it_is_copied_unless_its_log_would_be_missing(tmp_path, monkeypatch, log):
    history, copy = tmp_path / "history.db", tmp_path / "copy.db"
    with Store(history) as store:
        store.writing.add("Asked?", "A text of mine.", "test")
    if log:
        history.with_name("history.db-wal").write_text(log)
    connect = sqlite3.connect

    def without_room(name: str | Path, **how: bool) -> sqlite3.Connection:
        return connect("file:///nowhere?mode=ro" if str(name).endswith("mode=ro") else name, **how)

    with monkeypatch.context() as patch:
        patch.setattr("storage.backup.sqlite3.connect", without_room)
        if log:
            with pytest.raises(StorageError, match=r"history\.db: cannot be opened"):
                make_backup(history, copy)
            assert not copy.exists()
            return
        make_backup(history, copy)
    with Store(copy) as store:
        assert [one.text for one in store.writing.list()] == ["A text of mine."]
