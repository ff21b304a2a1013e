"""Backups that nobody has to think of: one before each migration, one a day; private, verified, beside the history."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

from storage.errors import DatabaseUnreadableError, DiskFullError, StorageError
from storage.private_files import create_private_file, translated_os_errors
from storage.process_identity import identity_of
from storage.values import display_path

DAYS_KEPT = 7

_BEFORE, _DAILY, _PARTIAL = ".before-", ".daily-", ".partial"


def back_up_before(path: Path, migration: str) -> Path:
    """Copy the database as it was before a migration; an older copy of that name is replaced.

    Raises: StorageError: there is no room for it, or the database is damaged; no copy is left then.
    """
    return _copy(path, path.with_name(f"{path.name}{_BEFORE}{migration}"))


def back_up_daily(path: Path, today: date | None = None) -> Path | None:
    """Copy the database at `path` unless there is a copy of today; the copies of the last DAYS_KEPT days stay.

    Needs no open history and may run in a thread of its own: it reads one moment's state while others write.

    Returns: the copy, if it was made now.

    Raises: StorageError: there is no room for it, or the database is damaged; the older copies stay then.
    """
    copy = path.with_name(f"{path.name}{_DAILY}{(today or date.today()).isoformat()}")
    if copy.exists():
        return None
    made = _copy(path, copy)
    there = backups(path)
    daily = [file for file in there if _DAILY in file.name and not file.name.endswith(_PARTIAL)]
    with translated_os_errors(copy):
        for old in [*daily[:-DAYS_KEPT], *filter(_is_abandoned, there)]:
            old.unlink(missing_ok=True)
    return made


def backups(path: Path) -> list[Path]:
    """The automatic backups of the database at `path`, whole or not."""
    prefixes = tuple(path.name + infix for infix in (_BEFORE, _DAILY))
    return sorted(file for file in path.parent.iterdir() if file.name.startswith(prefixes))


def remove_backups(path: Path) -> None:
    """Remove the automatic backups of the database at `path`, those too that are being made.

    Raises: StorageError: one of them cannot be removed.
    """
    while found := backups(path):  # again: one may have got its last name in between
        for copy in found:
            with translated_os_errors(copy):
                copy.unlink(missing_ok=True)


def newest_good_backup(path: Path) -> Path | None:
    """The newest automatic backup of the database at `path` that is whole; reads each from the newest on."""
    try:
        whole = [file for file in backups(path) if not file.name.endswith(_PARTIAL)]
    except OSError:
        return None
    newest_first = sorted(whole, key=lambda file: file.stat().st_mtime_ns, reverse=True)
    return next((file for file in newest_first if is_whole(file)), None)


def is_whole(path: Path) -> bool:
    """Whether a database that nobody writes to passes SQLite's integrity check; it is not changed."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            return db.execute("PRAGMA integrity_check(1)").fetchall() == [("ok",)]
    except sqlite3.Error:
        return False


def _is_abandoned(file: Path) -> bool:
    """Whether this is what a process left that was killed while it made a copy."""
    named = re.fullmatch(rf".*\.([0-9]+){re.escape(_PARTIAL)}", file.name)
    return named is not None and identity_of(int(named[1])) is None


def _copy(path: Path, copy: Path) -> Path:
    partial = copy.with_name(f"{copy.name}.{os.getpid()}{_PARTIAL}")
    with translated_os_errors(copy):
        create_private_file(partial)
        try:
            while not _copied(path, partial, copy):
                create_private_file(partial)
        finally:
            partial.unlink(missing_ok=True)
    return copy


def _copied(path: Path, partial: Path, copy: Path) -> bool:
    """Make the copy; returns False where a program that forgot something took it away meanwhile, as it should."""
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(partial)) as target:
            source.backup(target)
        if not is_whole(partial) and partial.exists():
            raise DatabaseUnreadableError(f"{display_path(path)}: is damaged; it was not backed up")
        partial.replace(copy)
    except FileNotFoundError:
        return False
    except sqlite3.Error as error:
        if not partial.exists():
            return False
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            raise DiskFullError(f"{display_path(copy)}: no space is left on the disk; free some") from error
        raise StorageError(f"{display_path(copy)}: cannot be made ({error}); check the disk") from error
    return True
