"""oterm's database (store.db): tables `chat` and `message`, no branches and no times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from storage.entries import Entry, ParsedConversation, ReadOptions, Skipped
from storage.importers.sqlite_file import ForeignDatabase, opened
from storage.importers.tree import Node, messages_of
from storage.importers.values import digest, id_of, text_of, title_from
from storage.records import MessageRole

SOURCE = "oterm"

_ROLES: Mapping[Any, MessageRole] = {"user": "user", "me": "user", "assistant": "assistant", "ollama": "assistant"}


def recognises(database: ForeignDatabase) -> bool:
    """Whether the tables are oterm's."""
    return database.has("chat", "id", "name", "model") and database.has("message", "id", "chat_id", "author", "text")


def read(path: Path, options: ReadOptions) -> Iterator[Entry]:
    """The chats of the database.

    Raises: InvalidImportError: unreadable, damaged, or tables are missing.
    """
    with opened(path, options.scratch) as database:
        database.require(recognises, "oterm")
        chats = {row["id"]: row for row in database.select("chat", "id", "name", "model")}
        messages: defaultdict[Any, list[Node]] = defaultdict(list)
        for row in database.select("message", "id", "chat_id", "author", "text", order='"id"'):
            role = _ROLES.get(row["author"])
            if role is None or row["chat_id"] not in chats:
                yield Skipped("messages of unknown roles or chats")
                continue
            said = messages[row["chat_id"]]
            model = text_of(chats[row["chat_id"]]["model"]) if role == "assistant" else ""
            parent = said[-1].id if said else None
            said.append(Node(id_of(row["id"]), parent, role, text_of(row["text"]), model=model or None))
        for chat in chats.values():
            yield _conversation(chat, messages[chat["id"]])


def _conversation(chat: Mapping[str, Any], nodes: list[Node]) -> Entry:
    messages, active = messages_of(nodes, None)
    if not messages:
        return Skipped("conversations without a message")
    # Numbers are only unique within one database.
    name = digest(id_of(chat["id"]), messages[0].text)
    return ParsedConversation(SOURCE, name, text_of(chat["name"]) or title_from(messages[0].text), messages, active)
