"""Databases of other programs: opened so that nothing in them or beside them ever changes."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from storage.errors import InvalidImportError
from storage.importers.files import MAX_TEXT, reading
from storage.values import display_path

MAGIC = b"SQLite format 3\0"

Row = dict[str, Any]
Tables = Mapping[str, Set[str]]
"""The columns of every ordinary table."""


class ForeignDatabase:
    """An open database of another program.

    Raises: InvalidImportError: from every method, where the file is damaged.
    """

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection = connection
        self._name = name
        self.tables: Tables = {}
        tables = {
            row["name"]: {column["name"] for column in self.rows("SELECT name FROM pragma_table_info(?)", row["name"])}
            # Views and virtual tables could run anything when they are read.
            for row in self.rows("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
        }
        self.tables = tables

    def rows(self, sql: str, *parameters: Any) -> Iterator[Row]:
        """The rows of a query, as they are read, by column name."""
        try:
            found = self._connection.execute(sql, parameters)
            names = [column[0] for column in found.description]
            for row in found:
                yield dict(zip(names, row, strict=True))
        # MemoryError: what SQLite says of some damaged schemas, and of a cell that claims too much.
        except (sqlite3.Error, OverflowError, UnicodeDecodeError, MemoryError) as error:
            raise InvalidImportError(
                f"{self._name}: is damaged, or not laid out as expected ({type(error).__name__}); "
                "open it once with the program that made it, then import it again"
            ) from error

    def select(self, table: str, *columns: str, order: str = "rowid") -> Iterator[Row]:
        """Columns of a table, NULL for those it does not have."""
        there = self.tables[table]
        wanted = ", ".join(f'"{column}"' if column in there else f'NULL AS "{column}"' for column in columns)
        return self.rows(f'SELECT {wanted} FROM "{table}" ORDER BY {order}')

    def has(self, table: str, *columns: str) -> bool:
        """Whether there is such a table with all of these columns."""
        return set(columns) <= self.tables.get(table, frozenset())

    def require(self, recognises: Callable[[ForeignDatabase], bool], program: str) -> None:
        """Refuse a database without the tables of a program."""
        if not recognises(self):
            raise InvalidImportError(
                f"{self._name}: has not the tables of a database of {program}; give another file, or update {program} "
                "and open it once"
            )


@contextmanager
def opened(path: Path, scratch: Path) -> Iterator[ForeignDatabase]:
    """The database at `path`, read-only; one with a write-ahead log is read from a copy in `scratch`.

    Raises: InvalidImportError: it cannot be read, or is no database.
    """
    log = path.with_name(f"{path.name}-wal")
    with reading(path), TemporaryDirectory(dir=scratch, prefix="import-") as folder:
        source = path
        if log.is_file() and log.stat().st_size:
            source = Path(shutil.copyfile(path, Path(folder) / "copy.db"))
            shutil.copyfile(log, source.with_name(f"{source.name}-wal"))
        # Immutable: no lock, no journal, no -shm beside the file, whatever state it is in.
        mode = "mode=ro&immutable=1" if source is path else "mode=rw"
        try:
            connection = sqlite3.connect(f"{source.absolute().as_uri()}?{mode}", uri=True)
        except sqlite3.Error as error:
            raise InvalidImportError(f"{display_path(path)}: cannot be opened as a database") from error
        with closing(connection):
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_TEXT)
            connection.text_factory = lambda data: data.decode(errors="replace")
            for setting in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
                connection.execute(f"PRAGMA {setting}")
            yield ForeignDatabase(connection, display_path(path))
