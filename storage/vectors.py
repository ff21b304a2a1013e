"""Imported control vectors: files of others, each with a strength, on or off."""

from __future__ import annotations

import builtins
import json
from collections.abc import Sequence

from storage.database import Database, Row
from storage.erasure import erase, mark_pending
from storage.errors import NameTakenError, NotFoundError
from storage.records import VectorRecord
from storage.values import from_timestamp, now, to_timestamp

_SELECT = "SELECT name, model_hint, width, blocks, strength, enabled, added_at FROM vectors"


class Vectors:
    """The imported vectors of one history, told apart by their names.

    Raises: NotFoundError: from every method that names a vector, where there is none.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(
        self, name: str, file: bytes, *, model_hint: str, width: int, blocks: Sequence[int], strength: float = 1.0
    ) -> VectorRecord:
        """Keep a vector, switched on; `file` is the GGUF file as it came.

        Raises: NameTakenError: there is one of that name; nothing is changed.
        """
        values = (name, model_hint, width, json.dumps(list(blocks)), strength, to_timestamp(now()), file)
        with self._db.transaction():
            if self._db.row("SELECT 1 FROM vectors WHERE name = ?", (name,)):
                raise NameTakenError(f"{name}: there is a vector of that name; choose another name, or remove it first")
            self._db.write(
                "INSERT INTO vectors (name, model_hint, width, blocks, strength, enabled, added_at, file) "
                "VALUES (?, ?, ?, ?, ?, 1, ?, ?)",
                values,
            )
        return self.get(name)

    def get(self, name: str) -> VectorRecord:
        """One vector."""
        row = self._db.row(f"{_SELECT} WHERE name = ?", (name,))
        if row is None:
            raise _not_found(name)
        return _vector(row)

    def list(self) -> builtins.list[VectorRecord]:
        """All vectors in the order in which they came."""
        return [_vector(row) for row in self._db.rows(f"{_SELECT} ORDER BY id")]

    def file(self, name: str) -> bytes:
        """The GGUF file of a vector."""
        row = self._db.row("SELECT file FROM vectors WHERE name = ?", (name,))
        if row is None:
            raise _not_found(name)
        return bytes(row["file"])

    def set_strength(self, name: str, strength: float) -> VectorRecord:
        """Set what a vector is multiplied with, -2 to 2."""
        return self._change("strength", name, strength)

    def set_enabled(self, name: str, enabled: bool) -> VectorRecord:
        """Switch a vector on or off."""
        return self._change("enabled", name, enabled)

    def delete(self, name: str) -> None:
        """Forget a vector: it is in no byte of the file afterwards."""
        with self._db.transaction():
            mark_pending(self._db)
            if not self._db.write("DELETE FROM vectors WHERE name = ?", (name,)).rowcount:
                raise _not_found(name)
        erase(self._db)

    def _change(self, column: str, name: str, value: float | bool) -> VectorRecord:
        with self._db.transaction():
            if not self._db.write(f"UPDATE vectors SET {column} = ? WHERE name = ?", (value, name)).rowcount:
                raise _not_found(name)
        return self.get(name)


def _not_found(name: str) -> NotFoundError:
    return NotFoundError(f"{name}: no imported vector of that name; list them to see which there are")


def _vector(row: Row) -> VectorRecord:
    return VectorRecord(
        name=row["name"],
        model_hint=row["model_hint"],
        width=row["width"],
        blocks=tuple(json.loads(row["blocks"])),
        strength=row["strength"],
        enabled=bool(row["enabled"]),
        added_at=from_timestamp(row["added_at"]),
    )
