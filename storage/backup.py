"""Whole copies of the history: made, verified, and put back in its place."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from sqlite_utils import Database as SqliteDatabase

from storage.automatic import remove_backups
from storage.errors import DatabaseLockedError, DatabaseUnreadableError, StorageError
from storage.migrations import APPLICATION_ID, MIGRATIONS
from storage.private_files import companions, create_private_file, translated_os_errors
from storage.private_output import private_output, to_disk
from storage.store import Store
from storage.upgrade import refuse_foreign
from storage.values import display_path

_SQLITE = b"SQLite format 3\0"
_DAMAGED = "{}: is damaged, or no history; use another copy"
_LOCK_START, _LOCK_LENGTH = 0x40000002, 510
"""Where SQLite's connections mark that they have a file open (its shared lock bytes)."""


def make_backup(database: Path, target: Path, *, force: bool = False) -> None:
    """Write a compact copy of a history to `target` (0600) and verify it; others may go on using the history.

    Raises: StorageError: `target` exists and not `force`, cannot be written, or the history is damaged.
    """
    with private_output(target, force=force) as partial:
        try:
            with closing(_source(database)) as source:
                source.execute("PRAGMA temp_store = MEMORY")
                source.execute("VACUUM INTO ?", (os.fspath(partial),))
        except sqlite3.OperationalError as error:
            raise StorageError(f"{display_path(target)}: cannot be written ({error}); use another place") from error
        except sqlite3.Error as error:
            raise DatabaseUnreadableError(f"{display_path(database)}: is damaged ({error})") from error
        _verify(partial, target)


def _source(database: Path) -> sqlite3.Connection:
    """A history opened to be read, also on a disk that is full or read-only, where SQLite has no room beside it.

    Raises: StorageError: it cannot be opened.
    """
    trouble: sqlite3.OperationalError | None = None
    ways = ["mode=ro"]
    if not any(log.stat().st_size for log in companions(database)):  # what is in the log would be missing
        ways.append("mode=ro&immutable=1")
    for way in ways:
        try:
            return _read(f"{database.absolute().as_uri()}?{way}")
        except sqlite3.OperationalError as error:
            trouble = error
    raise StorageError(f"{display_path(database)}: cannot be opened ({trouble}); see `assistant doctor`") from trouble


def _read(uri: str) -> sqlite3.Connection:
    source = sqlite3.connect(uri, uri=True)
    try:
        source.execute("SELECT count(*) FROM sqlite_schema")  # the first look, at which a disk without room fails
    except sqlite3.Error:
        source.close()
        raise
    return source


def restore_backup(database: Path, backup: Path) -> Path | None:
    """Put a verified copy of `backup` in the place of a history; also where that one is damaged or missing.

    Returns: where the history of before is kept, if there was one.

    Raises:
        DatabaseLockedError: another program has the history open; nothing is changed.
        StorageError: `backup` is no history, damaged, newer than this program, or there is no space.
    """
    _make_folder(database)
    copy = database.with_name(f"{database.name}.restoring")
    try:
        _copy(backup, copy)
        _verify(copy, backup)
        _settle(copy)
        with translated_os_errors(database):
            _fold(database)
            with _alone(database) as locked:
                kept = _keep(database, locked)
                to_disk(copy)
                copy.replace(database)
        return kept
    finally:
        for left in (copy, *companions(copy)):
            left.unlink(missing_ok=True)


def check_backup(backup: Path) -> None:
    """Tell what is no history from its first bytes, before anything is asked or copied; `restore_backup` reads it all.

    Raises: StorageError: it is not there, or is no SQLite database.
    """
    with translated_os_errors(backup):
        _check_there(backup)
        with backup.open("rb") as file:
            first = file.read(len(_SQLITE))
    if first != _SQLITE:
        raise DatabaseUnreadableError(_DAMAGED.format(display_path(backup)))


def _check_there(backup: Path) -> None:
    if not backup.is_file():
        raise StorageError(f"{display_path(backup)}: is not there, or is not a file")


def _make_folder(database: Path) -> None:
    """Make the folder of a history, if it is not there."""
    with translated_os_errors(database):
        database.parent.mkdir(parents=True, exist_ok=True, mode=0o700)


def _verify(copy: Path, shown: Path) -> None:
    """Check that `copy` is a whole history that this program can open; errors call it `shown`."""
    try:
        with closing(sqlite3.connect(copy)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
            refuse_foreign(SqliteDatabase(connection, execute_plugins=False), shown, MIGRATIONS)
            [(application_id,)] = connection.execute("PRAGMA application_id").fetchall()
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check (1)")]
    except sqlite3.Error as error:
        raise DatabaseUnreadableError(_DAMAGED.format(display_path(shown))) from error
    if application_id != APPLICATION_ID:
        raise DatabaseUnreadableError(f"{display_path(shown)}: is no history; give a file that `backup` made")
    if problems != ["ok"]:
        raise DatabaseUnreadableError(f"{display_path(shown)}: is damaged; use another copy")


def _settle(copy: Path) -> None:
    """Bring a copy up to this program and forget what was due when it was made.

    Done at the next start, this would remove all backups, the history that was kept among them.
    """
    Store(copy).close()
    remove_backups(copy)
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


def _copy(backup: Path, copy: Path) -> None:
    """Copy a database with what is still in its log."""
    with translated_os_errors(backup):
        _check_there(backup)
        for source in (backup, *(file for file in companions(backup) if file.name.endswith("-wal"))):
            target = copy.with_name(copy.name + source.name.removeprefix(backup.name))
            target.unlink(missing_ok=True)
            create_private_file(target)
            shutil.copyfile(source, target)


def _fold(database: Path) -> None:
    """Fold the log into the history where that is possible; a damaged one keeps its log."""
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        return


@contextmanager
def _alone(database: Path) -> Iterator[BinaryIO | None]:
    """Hold what keeps every other program from opening the history; it works on damaged files too.

    The lock goes with the first descriptor of the file that this process closes: nothing else may open it meanwhile.
    """
    if not database.exists():
        yield None
        return
    with database.open("r+b") as locked:
        try:
            fcntl.lockf(locked, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCK_LENGTH, _LOCK_START)
        except (BlockingIOError, PermissionError) as error:
            raise DatabaseLockedError(
                f"{display_path(database)}: is open in another assistant; close that, then restore again"
            ) from error
        yield locked


def _keep(database: Path, locked: BinaryIO | None) -> Path | None:
    """Copy the present history, and give its log a second name."""
    if locked is None:
        return None
    kept = database.with_name(f"{database.name}.before-restore-{datetime.now():%Y-%m-%d-%H%M%S}")
    for file in (database, *companions(database)):
        name = kept.with_name(kept.name + file.name.removeprefix(database.name))
        name.unlink(missing_ok=True)
        if file == database:
            create_private_file(name)
            with name.open("wb") as copy:
                shutil.copyfileobj(locked, copy)
            to_disk(name)
        else:
            file.rename(name)
    return kept
