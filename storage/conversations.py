"""Conversations: made, listed, organised, forked, deleted for a while and forgotten."""

from __future__ import annotations

import builtins
import json
from collections.abc import Collection
from datetime import timedelta

from storage.database import Database, Row, Value
from storage.erasure import erase
from storage.errors import NotFoundError
from storage.records import Conversation, message_item_id
from storage.removal import remove_conversations
from storage.values import from_timestamp, now, to_timestamp

UNDO = timedelta(minutes=10)
"""How long a deletion can be undone; what was deleted earlier is forgotten when the history is next opened."""

_SELECT = """
    SELECT conversations.*, (
        SELECT json_group_array(tag) FROM tags WHERE conversation_id = conversations.id
    ) AS tags FROM conversations
"""
_BRANCH = """
    WITH RECURSIVE branch (id, parent_id, edited_from, conversation_id, height) AS (
        SELECT id, parent_id, edited_from, conversation_id, 0 FROM messages WHERE id = ?
        UNION ALL
        SELECT above.id, above.parent_id, above.edited_from, above.conversation_id, height + 1
        FROM messages above JOIN branch ON above.id = branch.parent_id
    )
    SELECT id, edited_from, conversation_id FROM branch ORDER BY height DESC
"""
_COPIED = "role, text, reasoning, origin, created_at, model, profile_version, strength, vectors, pasted, stats"


class Conversations:
    """The conversations of one history.

    Raises: NotFoundError: from every method that names a conversation, where there is none.
    """

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
        """One conversation, also one that was deleted and can still be restored."""
        row = self._db.row(f"{_SELECT} WHERE id = ?", (conversation_id,))
        if row is None:
            raise _not_found(conversation_id)
        return _conversation(row)

    def list(
        self, limit: int | None = None, offset: int = 0, *, archived: bool = False, tag: str | None = None
    ) -> builtins.list[Conversation]:
        """Conversations that are not deleted: pinned ones first, then the one last added to.

        Only archived ones if `archived`, else only the others; only those with `tag` if it is given.
        """
        among = "" if tag is None else "AND id IN (SELECT conversation_id FROM tags WHERE tag = ?)"
        chosen = () if tag is None else (tag,)
        rows = self._db.rows(
            f"{_SELECT} WHERE deleted_at IS NULL AND archived = ? {among} "
            "ORDER BY pinned DESC, updated_at DESC, id DESC LIMIT ? OFFSET ?",
            (archived, *chosen, -1 if limit is None else limit, offset),
        )
        return [_conversation(row) for row in rows]

    def deleted(self) -> builtins.list[Conversation]:
        """Conversations that were deleted and can still be restored, the last one first."""
        rows = self._db.rows(f"{_SELECT} WHERE deleted_at IS NOT NULL ORDER BY deleted_at DESC, id DESC")
        return [_conversation(row) for row in rows]

    def tags(self) -> dict[str, int]:
        """All tags in alphabetical order, each with how many conversations have it."""
        rows = self._db.rows(
            "SELECT tag, count(*) AS count FROM tags JOIN conversations ON id = conversation_id "
            "WHERE deleted_at IS NULL GROUP BY tag ORDER BY tag"
        )
        return {row["tag"]: row["count"] for row in rows}

    def rename(self, conversation_id: int, title: str) -> None:
        """Give a conversation another title; its place in the list stays."""
        self._change("title = ?", title, conversation_id)

    def give_title(self, conversation_id: int, title: str) -> None:
        """Give a conversation the title that the person chose; `suggest_title` never replaces it."""
        self._change("title_given = 1, title = ?", title, conversation_id)

    def suggest_title(self, conversation_id: int, title: str) -> bool:
        """Give a conversation an automatic title, unless the person gave it one; returns whether it was taken."""
        with self._db.transaction():
            self.get(conversation_id)
            return bool(
                self._db.write(
                    "UPDATE conversations SET title = ? WHERE id = ? AND NOT title_given", (title, conversation_id)
                ).rowcount
            )

    def set_pinned(self, conversation_id: int, pinned: bool) -> None:
        """Keep a conversation at the head of the list, or no longer."""
        self._change("pinned = ?", pinned, conversation_id)

    def set_archived(self, conversation_id: int, archived: bool) -> None:
        """Take a conversation out of the list, or back in; it is still searched and learned from."""
        self._change("archived = ?", archived, conversation_id)

    def set_tags(self, conversation_id: int, tags: Collection[str]) -> None:
        """Replace the tags of a conversation; blank ones, and all but the first of the same in another case, go."""
        with self._db.transaction():
            self.get(conversation_id)
            self._db.write("DELETE FROM tags WHERE conversation_id = ?", (conversation_id,))
            self._db.write_many(
                "INSERT OR IGNORE INTO tags VALUES (?, ?)",
                [(conversation_id, tag.strip()) for tag in tags if tag.strip()],
            )

    def set_active_leaf(self, conversation_id: int, message_id: int | None) -> None:
        """Show the branch that ends in this message of the conversation.

        Raises: NotFoundError: there is no such conversation, or no such message in it.
        """
        self._change("active_leaf_id = ?", message_id, conversation_id)

    def fork(self, message_id: int) -> Conversation:
        """A new conversation with a copy of the branch down to this message; the old one stays as it is.

        Edited replies come with the replies that they replace. Whether a message may be learned from goes for its copy
        too; ratings stay with the messages they were given to.

        Raises: NotFoundError: there is no such message.
        """
        with self._db.transaction():
            branch = self._db.rows(_BRANCH, (message_id,))
            if not branch:
                raise NotFoundError(f"message {message_id}: not in the history; it may just have been deleted")
            copy = self._copy_conversation(branch[0]["conversation_id"])
            parent = None
            for message in branch:
                original = message["edited_from"]
                replaced = None if original is None else self._copy_message(original, copy, parent, None)
                parent = self._copy_message(message["id"], copy, parent, replaced)
            self._db.write("UPDATE conversations SET active_leaf_id = ? WHERE id = ?", (parent, copy))
        return self.get(copy)

    def trash(self, conversation_id: int) -> None:
        """Delete a conversation so that `restore` can take that back, for the time of UNDO.

        Meanwhile it is neither listed, searched nor learned from.
        """
        self._change("deleted_at = ?", to_timestamp(now()), conversation_id)

    def restore(self, conversation_id: int) -> None:
        """Take a conversation back that was deleted with `trash`."""
        self._change("deleted_at = ?", None, conversation_id)

    def forget_trashed(self) -> int:
        """Forget, as `delete` does, what can no longer be restored; returns how many conversations that were."""
        due = "SELECT id FROM conversations WHERE deleted_at < ?"
        overdue = (to_timestamp(now() - UNDO),)
        if not self._db.rows(due, overdue):
            return 0
        with self._db.transaction():
            gone = [row["id"] for row in self._db.rows(due, overdue)]
            remove_conversations(self._db, gone)
        erase(self._db)
        return len(gone)

    def delete(self, conversation_id: int) -> None:
        """Forget a conversation: messages, ratings, effects and its places in profiles, which become stale.

        Afterwards its text is in no byte of the file, unless another process was using the file; then that is
        made up for when it is next opened.
        """
        with self._db.transaction():
            self.get(conversation_id)
            remove_conversations(self._db, [conversation_id])
        erase(self._db)

    def _copy_conversation(self, conversation_id: int) -> int:
        moment = to_timestamp(now())
        copied = self._db.write(
            "INSERT INTO conversations (title, title_given, created_at, updated_at) "
            "SELECT title, title_given, ?, ? FROM conversations WHERE id = ?",
            (moment, moment, conversation_id),
        )
        return int(copied.lastrowid or 0)

    def _copy_message(self, message_id: int, copy: int, parent: int | None, edited_from: int | None) -> int:
        copied = self._db.write(
            f"INSERT INTO messages (conversation_id, parent_id, edited_from, state, {_COPIED}) "
            "SELECT ?, ?, ?, CASE state WHEN 'streaming' THEN 'stopped' ELSE state END, "
            f"{_COPIED} FROM messages WHERE id = ?",
            (copy, parent, edited_from, message_id),
        )
        number = int(copied.lastrowid or 0)
        items = message_item_id(number), message_item_id(message_id)
        for table in ("excluded_items", "claimed_items"):
            self._db.write(f"INSERT INTO {table} SELECT ? FROM {table} WHERE item_id = ?", items)
        return number

    def _change(self, assignment: str, value: Value, conversation_id: int) -> None:
        with self._db.transaction():
            if not self._db.write(
                f"UPDATE conversations SET {assignment} WHERE id = ?", (value, conversation_id)
            ).rowcount:
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
        title_given=bool(row["title_given"]),
        pinned=bool(row["pinned"]),
        archived=bool(row["archived"]),
        tags=tuple(json.loads(row["tags"])),
        deleted_at=None if row["deleted_at"] is None else from_timestamp(row["deleted_at"]),
    )
