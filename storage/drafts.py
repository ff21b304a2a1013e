"""Drafts: what a person has written and not yet sent, one text a conversation."""

from __future__ import annotations

from storage.database import Database


class Drafts:
    """The drafts of one history; they are forgotten with their conversations."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, conversation_id: int | None) -> str:
        """The draft in a conversation, None: in one that is not begun; empty where there is none."""
        row = self._db.row("SELECT text FROM drafts WHERE conversation_id IS ?", (conversation_id,))
        return "" if row is None else str(row["text"])

    def keep(self, conversation_id: int | None, text: str) -> None:
        """Keep a draft in place of the one before; an empty one is none. A conversation that is gone keeps none."""
        with self._db.transaction():
            self._db.write("DELETE FROM drafts WHERE conversation_id IS ?", (conversation_id,))
            if text:
                self._db.write(
                    "INSERT INTO drafts SELECT ?1, ?2 WHERE ?1 IS NULL OR ?1 IN (SELECT id FROM conversations)",
                    (conversation_id, text),
                )
