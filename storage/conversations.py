"""Conversations: made, listed, renamed, forgotten."""

from __future__ import annotations

import builtins

from storage.database import Database, Row
from storage.erasure import erase, forget_items
from storage.errors import NotFoundError
from storage.records import Conversation, message_item_id
from storage.values import from_timestamp, now, to_timestamp


class Conversations:
    """The conversations of one history."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def create(self, title: str = "") -> Conversation:
        """An empty conversation."""
        moment = to_timestamp(now())
        with self._db.transaction():
            made = self._db.write(
                "INSERT INTO conversations (title, created_at, updated_at) VALUES (?, ?, ?)",
                (title, moment, moment),
            )
        return self.get(int(made.lastrowid or 0))

    def get(self, conversation_id: int) -> Conversation:
        """One conversation.

        Raises: NotFoundError: there is none of this id.
        """
        row = self._db.row("SELECT * FROM conversations WHERE id = ?", (conversation_id,))
        if row is None:
            raise _not_found(conversation_id)
        return _conversation(row)

    def list(self, limit: int | None = None, offset: int = 0) -> builtins.list[Conversation]:
        """Conversations, the one last added to first."""
        rows = self._db.rows(
            "SELECT * FROM conversations ORDER BY updated_at DESC, id DESC LIMIT ? OFFSET ?",
            (-1 if limit is None else limit, offset),
        )
        return [_conversation(row) for row in rows]

    def rename(self, conversation_id: int, title: str) -> None:
        """Give a conversation another title; its place in the list stays.

        Raises: NotFoundError: there is none of this id.
        """
        self._change("UPDATE conversations SET title = ? WHERE id = ?", title, conversation_id)

    def set_active_leaf(self, conversation_id: int, message_id: int | None) -> None:
        """Show the branch that ends in this message of the conversation.

        Raises: NotFoundError: there is no such conversation, or no such message in it.
        """
        self._change("UPDATE conversations SET active_leaf_id = ? WHERE id = ?", message_id, conversation_id)

    def delete(self, conversation_id: int) -> None:
        """Forget a conversation: messages, ratings, effects and its places in profiles, which become stale.

        Afterwards its text is in no byte of the file, unless another process was using the file; then that is
        made up for when it is next opened.

        Raises: NotFoundError: there is none of this id.
        """
        with self._db.transaction():
            found = self._db.rows("SELECT id FROM messages WHERE conversation_id = ?", (conversation_id,))
            forget_items(self._db, [message_item_id(row["id"]) for row in found])
            self._db.write("UPDATE conversations SET active_leaf_id = NULL WHERE id = ?", (conversation_id,))
            self._db.write("DELETE FROM messages WHERE conversation_id = ?", (conversation_id,))
            if not self._db.write("DELETE FROM conversations WHERE id = ?", (conversation_id,)).rowcount:
                raise _not_found(conversation_id)
        erase(self._db)

    def _change(self, sql: str, value: str | int | None, conversation_id: int) -> None:
        with self._db.transaction():
            if not self._db.write(sql, (value, conversation_id)).rowcount:
                raise _not_found(conversation_id)


def _not_found(conversation_id: int) -> NotFoundError:
    return NotFoundError(f"conversation {conversation_id}: not in the history; list it to see which there are")


def _conversation(row: Row) -> Conversation:
    return Conversation(
        id=row["id"],
        title=row["title"],
        created_at=from_timestamp(row["created_at"]),
        updated_at=from_timestamp(row["updated_at"]),
        active_leaf_id=row["active_leaf_id"],
    )
