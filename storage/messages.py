"""Messages: a tree in every conversation, written while it is said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from storage.database import Database, Row, Value
from storage.errors import NotFoundError
from storage.process_identity import is_running, own_identity
from storage.records import Message, MessageRole, MessageState, Origin, Stretch, VectorUse, parts_of
from storage.values import from_timestamp, now, to_stretches, to_timestamp

# Siblings are counted per message on the index messages_by_parent: fast, as few messages have many.
_SIBLINGS = "FROM messages s WHERE s.conversation_id = m.conversation_id AND s.parent_id IS m.parent_id"
_COLUMNS = f"""
    m.*, coalesce(ratings.rating, 0) AS rating,
    (SELECT count(*) {_SIBLINGS} AND s.id < m.id) AS sibling_index,
    (SELECT count(*) {_SIBLINGS}) AS sibling_count
"""
_SELECT = f"SELECT {_COLUMNS} FROM messages m LEFT JOIN ratings ON ratings.message_id = m.id"
_KEPT = "conversation_id NOT IN (SELECT id FROM conversations WHERE deleted_at IS NOT NULL)"
_BRANCH = f"""
    WITH RECURSIVE branch (id, parent_id, height) AS (
        SELECT id, parent_id, 0 FROM messages WHERE id = ?
        UNION ALL
        SELECT above.id, above.parent_id, height + 1
        FROM messages above JOIN branch ON above.id = branch.parent_id
    )
    SELECT {_COLUMNS} FROM branch JOIN messages m ON m.id = branch.id
    LEFT JOIN ratings ON ratings.message_id = m.id ORDER BY height DESC
"""
_NEWEST_DESCENDANT = """
    WITH RECURSIVE below (conversation_id, id) AS (
        SELECT conversation_id, id FROM messages WHERE id = ?
        UNION ALL
        SELECT m.conversation_id, m.id FROM below
        JOIN messages m ON m.conversation_id = below.conversation_id AND m.parent_id = below.id
    )
    SELECT max(id) AS id FROM below
"""
_UNSEEN = frozenset({"writer", "source_id"})
"""Columns that no one above this room sees."""

_INSERT = """
    INSERT INTO messages (conversation_id, parent_id, role, text, state, origin, created_at, edited_from,
        model, profile_version, strength, vectors, pasted, writer)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class Messages:
    """The messages of one history.

    Raises: NotFoundError: from every method that names a message, where there is none.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(
        self,
        conversation_id: int,
        parent_id: int | None,
        role: MessageRole,
        text: str,
        *,
        state: MessageState,
        origin: Origin,
        edited_from: int | None = None,
        model: str | None = None,
        profile_version: int | None = None,
        strength: float | None = None,
        vectors: Sequence[VectorUse] = (),
        pasted: Sequence[Stretch] = (),
    ) -> Message:
        """Add a message under `parent_id` (None: a first message); it becomes the end of the shown branch.

        Raises: NotFoundError: no such conversation, or `parent_id` is not in it.
        """
        moment = to_timestamp(now())
        imported = json.dumps([asdict(vector) for vector in vectors])
        told = (edited_from, model, profile_version, strength, imported, json.dumps(pasted), _writer(state))
        with self._db.transaction():
            added = self._db.write(
                _INSERT, (conversation_id, parent_id, role, text, state.value, origin.value, moment, *told)
            ).lastrowid
            self._db.write(
                "UPDATE conversations SET active_leaf_id = ?, updated_at = ? WHERE id = ?",
                (added, moment, conversation_id),
            )
        return self.get(int(added or 0))

    def get(self, message_id: int) -> Message:
        """One message."""
        row = self._db.row(f"{_SELECT} WHERE m.id = ?", (message_id,))
        if row is None:
            raise _not_found(message_id)
        return _message(row)

    def set_text(self, message_id: int, text: str, reasoning: str = "") -> None:
        """Replace the text of a streaming message; survives a kill, does not wait for the disk."""
        with self._db.transaction(durable=False):
            self._update(
                "UPDATE messages SET text = ?, reasoning = ? WHERE id = ?", (text, reasoning, message_id), message_id
            )

    def resume(self, message_id: int) -> None:
        """Put a message back into `streaming`, to go on with it in this process."""
        state = MessageState.STREAMING
        values = (state.value, _writer(state), message_id)
        with self._db.transaction():
            self._update("UPDATE messages SET state = ?, writer = ? WHERE id = ?", values, message_id)

    def finish(
        self,
        message_id: int,
        *,
        text: str,
        reasoning: str = "",
        state: MessageState,
        stats: dict[str, Any] | None = None,
    ) -> Message:
        """Store the last text of a message with its final state and the engine's figures."""
        told = (state.value, _writer(state), None if stats is None else json.dumps(stats))
        with self._db.transaction():
            self._update(
                "UPDATE messages SET text = ?, reasoning = ?, state = ?, writer = ?, stats = ? WHERE id = ?",
                (text, reasoning, *told, message_id),
                message_id,
            )
        return self.get(message_id)

    def branch(self, leaf_id: int) -> list[Message]:
        """The messages from the first one down to this one."""
        rows = self._db.rows(_BRANCH, (leaf_id,))
        if not rows:
            raise _not_found(leaf_id)
        return [_message(row) for row in rows]

    def siblings(self, message_id: int) -> list[Message]:
        """All messages with the same parent, this one included, oldest first."""
        own = self.get(message_id)
        rows = self._db.rows(
            f"{_SELECT} WHERE m.conversation_id = ? AND m.parent_id IS ? ORDER BY m.id",
            (own.conversation_id, own.parent_id),
        )
        return [_message(row) for row in rows]

    def newest_leaf(self, message_id: int) -> Message:
        """The message last added below this one (itself, where nothing is): the branch last used."""
        row = self._db.row(_NEWEST_DESCENDANT, (message_id,))
        if row is None or row["id"] is None:
            raise _not_found(message_id)
        return self.get(row["id"])

    def typed(self) -> list[tuple[Message, Message | None]]:
        """What the person said, here or in an imported conversation, oldest first, each with what it answers.

        Without what is deleted, and without texts of others that were pasted here.
        """
        said = "(origin = 'typed' OR origin = 'imported' AND source_id IS NOT NULL)"
        typed = f"role = 'user' AND {said} AND {_KEPT}"
        own = self._db.rows(f"{_SELECT} WHERE {typed} ORDER BY m.id")
        above = self._db.rows(f"{_SELECT} WHERE m.id IN (SELECT parent_id FROM messages WHERE {typed})")
        parents = {row["id"]: _message(row) for row in above}
        return [(_message(row), parents.get(row["parent_id"])) for row in own]

    def sent(self, limit: int) -> list[tuple[datetime, str]]:
        """When and what the person last wrote in this program, the oldest first, each text once and not deleted."""
        rows = self._db.rows(
            f"SELECT created_at, text FROM messages WHERE role = 'user' AND origin = 'typed' AND {_KEPT} "
            "ORDER BY created_at DESC, id DESC LIMIT ?",
            (limit,),
        )
        latest: dict[str, datetime] = {}
        for row in rows:
            latest.setdefault(row["text"], from_timestamp(row["created_at"]))
        return [(moment, text) for text, moment in reversed(latest.items())]

    def pasted_parts(self, limit: int) -> list[list[str]]:
        """What was pasted into the messages that were last written here, without what is claimed as the person's."""
        rows = self._db.rows(
            "SELECT text, pasted FROM messages WHERE role = 'user' AND origin = 'typed' AND pasted <> '[]' "
            f"AND 'message:' || id NOT IN (SELECT item_id FROM claimed_items) AND {_KEPT} "
            "ORDER BY created_at DESC, id DESC LIMIT ?",
            (limit,),
        )
        return [parts_of(row["text"], to_stretches(row["pasted"])) for row in reversed(rows)]

    def replies(self) -> list[Message]:
        """All messages of the assistant's side, the person's edits included, not deleted, oldest first."""
        rows = self._db.rows(f"{_SELECT} WHERE m.role = 'assistant' AND {_KEPT} ORDER BY m.id")
        return [_message(row) for row in rows]

    def recover(self) -> int:
        """Mark as stopped what was streaming in a process that is gone; the text that came stays.

        Returns: how many messages that were.
        """
        query = "SELECT DISTINCT writer FROM messages WHERE state = 'streaming'"
        gone = [row["writer"] for row in self._db.rows(query) if not is_running(row["writer"])]
        if not gone:
            return 0
        stop = "UPDATE messages SET state = 'stopped', writer = NULL WHERE state = 'streaming' AND writer IS ?"
        with self._db.transaction():
            return sum(self._db.write(stop, (writer,)).rowcount for writer in gone)

    def _update(self, sql: str, values: tuple[Value, ...], message_id: int) -> None:
        if not self._db.write(sql, values).rowcount:
            raise _not_found(message_id)


def _writer(state: MessageState) -> str | None:
    return own_identity() if state is MessageState.STREAMING else None


def _not_found(message_id: int) -> NotFoundError:
    return NotFoundError(f"message {message_id}: not in the history; it may just have been deleted")


def _message(row: Row) -> Message:
    fields = {name: value for name, value in row.items() if name not in _UNSEEN}
    fields["state"] = MessageState(row["state"])
    fields["origin"] = Origin(row["origin"])
    fields["created_at"] = from_timestamp(row["created_at"])
    fields["vectors"] = tuple(VectorUse(**vector) for vector in json.loads(row["vectors"]))
    fields["pasted"] = to_stretches(row["pasted"])
    fields["stats"] = None if row["stats"] is None else json.loads(row["stats"])
    return Message(**fields)
