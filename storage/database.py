"""One connection to the history: opened privately, short write transactions, errors in the user's words."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database as SqliteDatabase
from sqlite_utils.migrations import Migrations

from storage.automatic import newest_good_backup
from storage.errors import (
    DatabaseLockedError,
    DatabaseReadOnlyError,
    DatabaseUnreadableError,
    DiskFullError,
    NotFoundError,
    StorageError,
)
from storage.migrations import MIGRATIONS
from storage.private_files import make_private
from storage.upgrade import refuse_foreign, upgrade
from storage.values import clean_text, display_path

BUSY_SECONDS = 30.0
"""How long to wait for another process: its forgetting rewrites the whole file, a second for 180 MB."""

Value = str | int | float | bytes | None
Row = dict[str, Any]

_SETTINGS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA synchronous = FULL",
    "PRAGMA temp_store = MEMORY",  # text of the person's is never spilled into a shared temporary folder
)

_PRIMARY_CODE = 0xFF
_NO_ROOM = (sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP)
"""Where the file beside the database that programs share it by finds no room."""
_TRANSLATIONS: dict[int, tuple[type[StorageError], str]] = {
    sqlite3.SQLITE_BUSY: (DatabaseLockedError, "is in use by another assistant; try again in a moment"),
    sqlite3.SQLITE_LOCKED: (DatabaseLockedError, "is in use by another assistant; try again in a moment"),
    sqlite3.SQLITE_READONLY: (
        DatabaseReadOnlyError,
        "cannot be written; make the file and its folder writable",
    ),
    sqlite3.SQLITE_PERM: (DatabaseReadOnlyError, "cannot be written; make the file and its folder writable"),
    sqlite3.SQLITE_FULL: (DiskFullError, "no space is left on the disk; free some and try again"),
    sqlite3.SQLITE_CORRUPT: (DatabaseUnreadableError, "is damaged; what is whole of it can still be read"),
    sqlite3.SQLITE_NOTADB: (DatabaseUnreadableError, "is not a history; move it away or use another folder"),
    sqlite3.SQLITE_CANTOPEN: (DatabaseReadOnlyError, "cannot be opened to be written; check the folder's permissions"),
    sqlite3.SQLITE_IOERR: (StorageError, "cannot be read or written; check the disk"),
}


class Database:
    """One open history. Not for use from several threads; several processes may share the file.

    Reads are single statements and fetched whole, so that no read transaction stays open either. On a full or
    read-only disk it is opened to be read: `refusal` says why, and every write raises it.

    Raises:
        StorageError: from every method: disk full, read-only, in use, damaged, or a row that is gone.
    """

    def __init__(self, path: Path, migrations: Migrations = MIGRATIONS) -> None:
        self.path = path
        self.refusal: StorageError | None = None
        try:
            self._sqlite = self._opened_to_write(migrations)
        except (DiskFullError, DatabaseReadOnlyError) as refusal:
            self._sqlite = self._opened_to_read(migrations, refusal)
            self.refusal = refusal

    def close(self) -> None:
        """Close the connection; the last one to close folds the write-ahead log into the file."""
        self._sqlite.close()

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """A write transaction: all or nothing, on disk when left.

        Not `durable` skips waiting for the disk: kept when a process dies, may be lost when the power fails.
        """
        with self._translated():
            if not durable:
                self._sqlite.execute("PRAGMA synchronous = NORMAL")
            try:
                self._sqlite.execute("BEGIN IMMEDIATE")
                yield
                self._sqlite.commit()
            finally:
                self._sqlite.rollback()
                if not durable:
                    self._sqlite.execute("PRAGMA synchronous = FULL")

    def rows(self, sql: str, parameters: Sequence[Value] = ()) -> list[Row]:
        """All rows of a query, by column name."""
        with self._translated():
            # Not sqlite_utils' query: its savepoint keeps the connection from going on after a damaged page.
            found = self._sqlite.conn.execute(sql, _storable(parameters))
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, values, strict=True)) for values in found]

    def row(self, sql: str, parameters: Sequence[Value] = ()) -> Row | None:
        """The first row of a query, if any."""
        return next(iter(self.rows(sql, parameters)), None)

    def write(self, sql: str, parameters: Sequence[Value] = ()) -> sqlite3.Cursor:
        """Execute one statement, in a `transaction` unless it is maintenance; see rowcount and lastrowid."""
        with self._translated():
            return self._sqlite.execute(sql, _storable(parameters))

    def write_many(self, sql: str, parameters: Iterable[Sequence[Value]]) -> None:
        """Execute one statement for each tuple of parameters (inside `transaction`)."""
        with self._translated():
            self._sqlite.conn.executemany(sql, map(_storable, parameters))

    def _opened_to_write(self, migrations: Migrations) -> SqliteDatabase:
        make_private(self.path)
        with self._translated():
            sqlite = _connected(str(self.path))
            try:
                refuse_foreign(sqlite, self.path, migrations)
                _configure(sqlite)
                upgrade(sqlite, self.path, migrations)
            except BaseException:
                sqlite.close()
                raise
            return sqlite

    def _opened_to_read(self, migrations: Migrations, refusal: StorageError) -> SqliteDatabase:
        """Whole with its log where that can be opened, else the file alone; raises `refusal` where neither helps."""
        for way in ("mode=ro", "mode=ro&immutable=1"):
            try:
                sqlite = _connected(f"{self.path.absolute().as_uri()}?{way}")
            except sqlite3.Error:
                continue
            try:
                refuse_foreign(sqlite, self.path, migrations)
                if not migrations.pending(sqlite):
                    return sqlite
            except sqlite3.Error:
                pass
            except BaseException:
                sqlite.close()
                raise
            sqlite.close()
        raise refusal

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            translated = _translate(error, self.path)
            if translated is None:
                raise
            if self.refusal and isinstance(translated, DatabaseReadOnlyError):
                raise type(self.refusal)(str(self.refusal)) from error
            raise translated from error
        except MemoryError as error:  # what SQLite says of some damaged schemas
            text = "is damaged, or there is too little memory to read it"
            raise DatabaseUnreadableError(f"{display_path(self.path)}: {text}; {_offer(self.path)}") from error
        except OverflowError as error:
            raise NotFoundError("no such number in the history; list it to see which there are") from error


def _connected(name: str) -> SqliteDatabase:
    """A connection on which nothing but `transaction` ever opens a transaction."""
    connection = sqlite3.connect(name, timeout=BUSY_SECONDS, isolation_level=None, uri=name.startswith("file:"))
    return SqliteDatabase(connection, execute_plugins=False)


def _configure(sqlite: SqliteDatabase) -> None:
    for setting in _SETTINGS:
        sqlite.execute(setting)
    deadline = time.monotonic() + BUSY_SECONDS
    while not _switched_to_wal(sqlite, deadline):
        time.sleep(0.02)


def _switched_to_wal(sqlite: SqliteDatabase, deadline: float) -> bool:
    # SQLite does not wait its busy timeout here when two processes make the same new file.
    try:
        sqlite.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if _primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
            raise
        return False
    return True


def _storable(parameters: Sequence[Value]) -> list[Value]:
    return [clean_text(value) if isinstance(value, str) else value for value in parameters]


def _primary_code(error: sqlite3.Error) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)  # absent on errors of the driver's own
    return None if code is None else code & _PRIMARY_CODE


def _translate(error: sqlite3.Error, path: Path) -> StorageError | None:
    """The storage error for `error`; None for one that only a mistake in this package can cause."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return NotFoundError("what this belongs to is not in the history; it may just have been deleted")
    code = _primary_code(error) or sqlite3.SQLITE_OK
    if getattr(error, "sqlite_errorcode", None) in _NO_ROOM:
        code = sqlite3.SQLITE_FULL
    found = _TRANSLATIONS.get(code)
    if found is None:
        return None
    kind, text = found
    if code == sqlite3.SQLITE_CORRUPT:
        text = f"{text}; {_offer(path)}"
    return kind(f"{display_path(path)}: {text}")


def _offer(path: Path) -> str:
    """What to do with a damaged database."""
    copy = newest_good_backup(path)
    if copy is None:
        return "there is no automatic backup that is whole; restore one of yours"
    made = datetime.fromtimestamp(copy.stat().st_mtime).strftime("%Y-%m-%d %H:%M")
    return f"the automatic backup of {made} is whole: `assistant restore {display_path(copy)}` brings it back"
