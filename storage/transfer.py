"""Conversations in and out of the history as a whole, in the one shape that importers and exporters know."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime

from storage.database import Database, Row
from storage.entries import ParsedConversation, ParsedMessage
from storage.errors import NotFoundError
from storage.records import ImportCounts, ImportedText, MessageState, Origin, VectorUse, message_item_id
from storage.values import from_timestamp, now, to_stretches, to_timestamp

OWN = "assistant"
"""The source of conversations that were held here; each row is named after its number and its time."""

Numbers = Mapping[str | None, int]
"""The messages of a conversation by what their source calls them."""

_INSERT_CONVERSATION = """
    INSERT INTO conversations
        (title, title_given, created_at, updated_at, pinned, archived, source, source_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_MESSAGE = """
    INSERT INTO messages (conversation_id, parent_id, role, text, reasoning, state, origin, created_at, edited_from,
        model, profile_version, strength, vectors, stats, pasted, source_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SELECT_MESSAGES = """
    SELECT m.*, coalesce(ratings.rating, 0) AS rating, excluded_items.item_id IS NOT NULL AS excluded,
        claimed_items.item_id IS NOT NULL AS claimed
    FROM messages m LEFT JOIN ratings ON ratings.message_id = m.id
    LEFT JOIN excluded_items ON excluded_items.item_id = 'message:' || m.id
    LEFT JOIN claimed_items ON claimed_items.item_id = 'message:' || m.id
    WHERE m.conversation_id = ? ORDER BY m.id
"""


class Transfer:
    """Conversations and texts of one history, moved as a whole."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, conversations: Iterable[ParsedConversation]) -> ImportCounts:
        """Add conversations, all or none; of one that is there already only the messages that are new.

        A conversation that was deleted and can still be restored is restored by that. The branch that it shows moves
        to the new messages, unless the person has gone on with it here.
        """
        total = ImportCounts()
        with self._db.transaction():
            for conversation in conversations:
                total += self._add(conversation)
        return total

    def conversations(self, ids: Iterable[int] | None = None) -> Iterator[ParsedConversation]:
        """These conversations, or all that are not deleted, in the order in which they were begun.

        Raises: NotFoundError: one of them is not there.
        """
        if ids is None:
            query = "SELECT id FROM conversations WHERE deleted_at IS NULL ORDER BY created_at, id"
            ids = [row["id"] for row in self._db.rows(query)]
        for number in ids:
            yield self._conversation(number)

    def texts(self) -> Iterator[ImportedText]:
        """All texts of the person's own, in the order in which they were added."""
        for row in self._db.rows(
            "SELECT writings.*, item_id IS NOT NULL AS excluded FROM writings "
            "LEFT JOIN excluded_items ON item_id = 'writing:' || id ORDER BY id"
        ):
            yield ImportedText(
                prompt=row["prompt"],
                text=row["text"],
                created_at=from_timestamp(row["created_at"]),
                origin=row["origin"],
                excluded=bool(row["excluded"]),
            )

    def _add(self, conversation: ParsedConversation) -> ImportCounts:
        found = self._find(conversation)
        known: Numbers = {} if found is None else self._names(found["id"])
        number = self._insert(conversation) if found is None else int(found["id"])
        begun = _begun(conversation)
        numbers = dict(known)
        for message in conversation.messages:
            if message.source_id not in numbers:
                numbers[message.source_id] = self._insert_message(number, message, numbers, to_timestamp(begun))
        added = len(numbers) - len(known)
        if found is None or added:
            self._show(number, numbers.get(conversation.active), to_timestamp(conversation.updated_at or begun))
        if found is not None:
            self._db.write("UPDATE conversations SET deleted_at = NULL WHERE id = ?", (number,))
        return ImportCounts(conversations=found is None, messages=added, known=len(conversation.messages) - added)

    def _find(self, conversation: ParsedConversation) -> Row | None:
        found = self._db.row(
            "SELECT id, created_at FROM conversations WHERE source = ? AND source_id = ?",
            (conversation.source, conversation.source_id),
        )
        number = conversation.source_id.partition("@")[0]
        if found is not None or conversation.source != OWN or not number.isascii() or not number.isdigit():
            return found
        native = self._db.row(
            "SELECT id, created_at FROM conversations WHERE source_id IS NULL AND id = CAST(? AS INTEGER)", (number,)
        )
        return native if native is not None and _own_name(native) == conversation.source_id else None

    def _names(self, conversation_id: int) -> Numbers:
        """The messages of a conversation by what an export calls them."""
        rows = self._db.rows(
            "SELECT id, source_id, created_at FROM messages WHERE conversation_id = ?", (conversation_id,)
        )
        return {_name(row): row["id"] for row in rows}

    def _insert(self, conversation: ParsedConversation) -> int:
        begun = to_timestamp(_begun(conversation))
        ended = to_timestamp(conversation.updated_at) if conversation.updated_at else begun
        name = (conversation.source, conversation.source_id)
        kept = (conversation.pinned, conversation.archived)
        values = (conversation.title, conversation.title_given, begun, ended, *kept, *name)
        number = int(self._db.write(_INSERT_CONVERSATION, values).lastrowid or 0)
        self._db.write_many("INSERT OR IGNORE INTO tags VALUES (?, ?)", [(number, tag) for tag in conversation.tags])
        return number

    def _insert_message(
        self, conversation: int, message: ParsedMessage, numbers: Mapping[str | None, int], begun: str
    ) -> int:
        values = (
            *(conversation, numbers.get(message.parent), message.role, message.text, message.reasoning),
            *(message.state.value, message.origin.value),
            to_timestamp(message.created_at) if message.created_at else begun,
            numbers.get(message.edited_from),
            *(message.model, message.profile_version, message.strength),
            json.dumps([asdict(vector) for vector in message.vectors]),
            None if message.stats is None else json.dumps(message.stats),
            json.dumps(message.pasted),
            message.source_id,
        )
        number = int(self._db.write(_INSERT_MESSAGE, values).lastrowid or 0)
        if message.rating:
            self._db.write("INSERT INTO ratings VALUES (?, ?)", (number, message.rating))
        if message.excluded:
            self._db.write("INSERT OR IGNORE INTO excluded_items VALUES (?)", (message_item_id(number),))
        if message.claimed:
            self._db.write("INSERT OR IGNORE INTO claimed_items VALUES (?)", (message_item_id(number),))
        return number

    def _show(self, conversation: int, leaf: int | None, moment: str) -> None:
        """Show the branch to `leaf`, unless the one shown ends in a message that was not imported."""
        self._db.write(
            "UPDATE conversations SET updated_at = max(updated_at, ?2), active_leaf_id = CASE WHEN EXISTS "
            "(SELECT 1 FROM messages WHERE id = active_leaf_id AND source_id IS NULL) "
            "THEN active_leaf_id ELSE coalesce(?3, active_leaf_id) END WHERE id = ?1",
            (conversation, moment, leaf),
        )

    def _conversation(self, number: int) -> ParsedConversation:
        row = self._db.row("SELECT * FROM conversations WHERE id = ?", (number,))
        if row is None:
            raise NotFoundError(f"conversation {number}: not in the history; list it to see which there are")
        rows = self._db.rows(_SELECT_MESSAGES, (number,))
        names = {message["id"]: _name(message) for message in rows}
        tags = self._db.rows("SELECT tag FROM tags WHERE conversation_id = ? ORDER BY tag", (number,))
        return ParsedConversation(
            source=row["source"] or OWN,
            source_id=_name(row),
            title=row["title"],
            messages=tuple(_message(message, names) for message in rows),
            active=names.get(row["active_leaf_id"]),
            created_at=from_timestamp(row["created_at"]),
            updated_at=from_timestamp(row["updated_at"]),
            title_given=bool(row["title_given"]),
            pinned=bool(row["pinned"]),
            archived=bool(row["archived"]),
            tags=tuple(tag["tag"] for tag in tags),
        )


def _begun(conversation: ParsedConversation) -> datetime:
    """When a conversation began, as far as that is known."""
    times = (conversation.created_at, *(message.created_at for message in conversation.messages))
    return next((moment for moment in times if moment is not None), now())


def _name(row: Row) -> str:
    """What a row is called for good: what its source called it, or after its own number and time."""
    name: str | None = row["source_id"]
    return _own_name(row) if name is None else name


def _own_name(row: Row) -> str:
    return f"{row['id']}@{row['created_at']}"


def _message(row: Row, names: dict[int, str]) -> ParsedMessage:
    state = MessageState(row["state"])
    return ParsedMessage(
        source_id=names[row["id"]],
        parent=names.get(row["parent_id"]),
        role=row["role"],
        text=row["text"],
        created_at=from_timestamp(row["created_at"]),
        model=row["model"],
        reasoning=row["reasoning"],
        origin=Origin(row["origin"]),
        # Nobody will finish writing it elsewhere.
        state=MessageState.STOPPED if state is MessageState.STREAMING else state,
        rating=row["rating"],
        edited_from=names.get(row["edited_from"]),
        profile_version=row["profile_version"],
        strength=row["strength"],
        vectors=tuple(VectorUse(**vector) for vector in json.loads(row["vectors"])),
        stats=None if row["stats"] is None else json.loads(row["stats"]),
        excluded=bool(row["excluded"]),
        pasted=to_stretches(row["pasted"]),
        claimed=bool(row["claimed"]),
    )
