"""Drafts: what a person has written and not yet sent, one text a conversation."""

from __future__ import annotations

import json
from collections.abc import Sequence

from storage.database import Database
from storage.records import Stretch, parts_of
from storage.values import to_stretches


class Drafts:
    """The drafts of one history; they are forgotten with their conversations."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, conversation_id: int | None) -> str:
        """The draft in a conversation, None: in one that is not begun; empty where there is none."""
        row = self._db.row("SELECT text FROM drafts WHERE conversation_id IS ?", (conversation_id,))
        return "" if row is None else str(row["text"])

    def pasted_parts(self, conversation_id: int | None) -> list[str]:
        """What was pasted into the draft in a conversation."""
        row = self._db.row("SELECT text, pasted FROM drafts WHERE conversation_id IS ?", (conversation_id,))
        return [] if row is None else parts_of(row["text"], to_stretches(row["pasted"]))

    def keep(self, conversation_id: int | None, text: str, pasted: Sequence[Stretch] = ()) -> None:
        """Keep a draft in place of the one before; an empty one is none. A conversation that is gone keeps none."""
        with self._db.transaction():
            self._db.write("DELETE FROM drafts WHERE conversation_id IS ?", (conversation_id,))
            if text:
                self._db.write(
                    "INSERT INTO drafts (conversation_id, text, pasted) "
                    "SELECT ?1, ?2, ?3 WHERE ?1 IS NULL OR ?1 IN (SELECT id FROM conversations)",
                    (conversation_id, text, json.dumps(pasted)),
                )
