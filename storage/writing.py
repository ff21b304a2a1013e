"""Texts of the person's own that were not written in a chat."""

from __future__ import annotations

import builtins
import hashlib
import unicodedata
from collections.abc import Iterable
from datetime import datetime

from storage.database import Database, Row
from storage.erasure import erase, forget_items
from storage.errors import NotFoundError
from storage.records import ImportCounts, ImportedText, Writing, writing_item_id
from storage.values import clean_text, from_timestamp, now, to_timestamp


class Writings:
    """The writings of one history; a text with the same prompt is kept once."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, prompt: str, text: str, origin: str, created_at: datetime | None = None) -> tuple[Writing, bool]:
        """Add a text, unless it is there; returns the stored one and whether it is new."""
        with self._db.transaction():
            is_new = self._insert(prompt, text, origin, created_at)
        row = self._db.row("SELECT * FROM writings WHERE content_hash IN (?, ?)", _content_hashes(prompt, text))
        if row is None:
            raise NotFoundError("the text was removed by another assistant while it was added; add it again")
        return _writing(row), is_new

    def add_many(self, texts: Iterable[ImportedText], origin: str) -> ImportCounts:
        """Add texts, all or none; those that are there already are counted and left.

        `origin` is where those come from that do not say so themselves.
        """
        with self._db.transaction():
            news = [self._import(text, origin) for text in texts]
        return ImportCounts(texts=sum(news), known=len(news) - sum(news))

    def get(self, writing_id: int) -> Writing:
        """One writing.

        Raises: NotFoundError: there is none of this id.
        """
        row = self._db.row("SELECT * FROM writings WHERE id = ?", (writing_id,))
        if row is None:
            raise _not_found(writing_id)
        return _writing(row)

    def list(self) -> builtins.list[Writing]:
        """All writings, in the order in which they were added."""
        return [_writing(row) for row in self._db.rows("SELECT * FROM writings ORDER BY id")]

    def delete(self, writing_id: int) -> None:
        """Forget a writing with its effects; profiles that learned from it become stale.

        Raises: NotFoundError: there is none of this id.
        """
        with self._db.transaction():
            forget_items(self._db, [writing_item_id(writing_id)])
            if not self._db.write("DELETE FROM writings WHERE id = ?", (writing_id,)).rowcount:
                raise _not_found(writing_id)
        erase(self._db)

    def _import(self, text: ImportedText, origin: str) -> bool:
        is_new = self._insert(text.prompt, text.text, text.origin or origin, text.created_at)
        if is_new and text.excluded:
            self._db.write(
                "INSERT OR IGNORE INTO excluded_items "
                "SELECT 'writing:' || id FROM writings WHERE content_hash IN (?, ?)",
                _content_hashes(text.prompt, text.text),
            )
        return is_new

    def _insert(self, prompt: str, text: str, origin: str, created_at: datetime | None) -> bool:
        hashes = _content_hashes(prompt, text)
        written = self._db.write(
            "INSERT INTO writings (prompt, text, origin, created_at, content_hash) SELECT ?, ?, ?, ?, ? "
            "WHERE NOT EXISTS (SELECT 1 FROM writings WHERE content_hash IN (?, ?))",
            (prompt, text, origin, to_timestamp(created_at or now()), hashes[0], *hashes),
        )
        return written.rowcount == 1


def _content_hashes(prompt: str, text: str) -> tuple[str, str]:
    """Of the composed text (NFC), and of the text as it came: by the latter are those known that came long ago."""
    as_it_came = (clean_text(prompt), clean_text(text))
    return _hash(*(unicodedata.normalize("NFC", part) for part in as_it_came)), _hash(*as_it_came)


def _hash(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in map(str.encode, parts):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _not_found(writing_id: int) -> NotFoundError:
    return NotFoundError(f"text {writing_id}: not in the history; list it to see which there are")


def _writing(row: Row) -> Writing:
    return Writing(
        id=row["id"],
        prompt=row["prompt"],
        text=row["text"],
        origin=row["origin"],
        created_at=from_timestamp(row["created_at"]),
    )
