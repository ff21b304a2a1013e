"""elia's database (elia_chat): tables `chat` and `message`, several replies to one message possible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from storage.entries import Entry, ParsedConversation, ReadOptions, Skipped
from storage.importers.sqlite_file import ForeignDatabase, opened
from storage.importers.tree import Node, messages_of
from storage.importers.values import digest, id_of, moment_of, text_of, title_from
from storage.records import MessageRole

SOURCE = "elia"

_ROLES: Mapping[Any, MessageRole] = {"user": "user", "human": "user", "assistant": "assistant", "ai": "assistant"}


def recognises(database: ForeignDatabase) -> bool:
    """Whether the tables are elia's."""
    return database.has("chat", "id", "title") and database.has("message", "id", "chat_id", "role", "content")


def read(path: Path, options: ReadOptions) -> Iterator[Entry]:
    """The chats of the database.

    Raises: InvalidImportError: unreadable, damaged, or tables are missing.
    """
    with opened(path, options.scratch) as database:
        database.require(recognises, "elia")
        messages: defaultdict[Any, list[Node]] = defaultdict(list)
        for row in database.select(
            "message", "id", "chat_id", "role", "content", "timestamp", "parent_id", "model", order='"id"'
        ):
            role = _ROLES.get(row["role"])
            if role is None:
                yield Skipped("system messages and messages of unknown roles")
                continue
            said = messages[row["chat_id"]]
            parent = id_of(row["parent_id"]) or (said[-1].id if said else None)
            own, when, text = id_of(row["id"]), moment_of(row["timestamp"]), text_of(row["content"])
            said.append(Node(own, parent, role, text, created_at=when, model=text_of(row["model"]) or None))
        for chat in database.select("chat", "id", "title", "started_at", "archived"):
            yield _conversation(chat, messages[chat["id"]])


def _conversation(chat: Mapping[str, Any], nodes: list[Node]) -> Entry:
    messages, active = messages_of(nodes, None)
    if not messages:
        return Skipped("conversations without a message")
    # Numbers are only unique within one database.
    name = digest(id_of(chat["id"]), text_of(chat["started_at"]), messages[0].text)
    return ParsedConversation(
        SOURCE,
        name,
        text_of(chat["title"]) or title_from(messages[0].text),
        messages,
        active,
        created_at=moment_of(chat["started_at"]),
        archived=bool(chat["archived"]),
    )
