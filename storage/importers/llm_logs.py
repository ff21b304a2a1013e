"""`logs.db` of simonw's llm: a row per reply in `responses`, in newer versions a tree of `messages` with `parts`.

A database that has been in use for long holds both; the two name no conversation alike. Fragments, attachments and
tools are left out: they are files and documents, not what somebody said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from storage.entries import Entry, ParsedConversation, ReadOptions, Skipped
from storage.importers.sqlite_file import ForeignDatabase, opened
from storage.importers.tree import Node, messages_of
from storage.importers.values import id_of, moment_of, text_of, title_from
from storage.records import MessageRole

SOURCE = "llm"

_ROLES: Mapping[Any, MessageRole] = {"user": "user", "assistant": "assistant"}
_OTHER_PARTS = "tool calls and attachments"
_SYSTEM = "system prompts"


def recognises(database: ForeignDatabase) -> bool:
    """Whether the tables are those of llm, of either kind."""
    return _has_responses(database) or _has_tree(database)


def read(path: Path, options: ReadOptions) -> Iterator[Entry]:
    """The conversations of the log.

    Raises: InvalidImportError: unreadable, damaged, or tables are missing.
    """
    with opened(path, options.scratch) as database:
        database.require(recognises, "llm")
        if _has_responses(database):
            yield from _from_responses(database)
        if _has_tree(database):
            yield from _from_tree(database)


def _has_responses(database: ForeignDatabase) -> bool:
    return database.has("responses", "id", "prompt", "response", "conversation_id")


def _has_tree(database: ForeignDatabase) -> bool:
    return (
        database.has("threads", "id", "name")
        and database.has("turns", "id", "thread_id", "tip_message_hash")
        and database.has("messages", "hash", "parent_hash", "role")
        and database.has("parts", "message_hash", "type", "text")
    )


def _from_responses(database: ForeignDatabase) -> Iterator[Entry]:
    said: defaultdict[str, list[Node]] = defaultdict(list)
    columns = ("id", "model", "prompt", "system", "response", "reasoning", "conversation_id", "datetime_utc")
    for row in database.select("responses", *columns, order='"datetime_utc", "id"'):
        own, when = id_of(row["id"]), moment_of(row["datetime_utc"])
        nodes = said[id_of(row["conversation_id"]) or own]
        if text_of(row["system"]):
            yield Skipped(_SYSTEM)
        asked = Node(f"{own}/prompt", nodes[-1].id if nodes else None, "user", text_of(row["prompt"]), created_at=when)
        answer, thoughts = text_of(row["response"]), text_of(row["reasoning"])
        nodes += [asked, Node(own, asked.id, "assistant", answer, thoughts, when, text_of(row["model"]) or None)]
    names = _names(database, "conversations")
    for name, nodes in said.items():
        yield _conversation(name, names.get(name, ""), nodes, nodes[-1].id)


def _from_tree(database: ForeignDatabase) -> Iterator[Entry]:
    texts: defaultdict[Any, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for part in database.select("parts", "message_hash", "type", "text", order='"message_hash", "position"'):
        if part["type"] in ("text", "reasoning"):
            texts[part["message_hash"]][part["type"]].append(text_of(part["text"]))
        else:
            yield Skipped(_OTHER_PARTS)
    messages = {row["hash"]: row for row in database.select("messages", "hash", "parent_hash", "role")}
    nodes: defaultdict[Any, dict[str, Node]] = defaultdict(dict)
    tips: dict[Any, str] = {}
    for turn in database.select(
        "turns", "thread_id", "tip_message_hash", "model", "datetime_utc", order='"datetime_utc"'
    ):
        thread, at = nodes[turn["thread_id"]], turn["tip_message_hash"]
        tips[turn["thread_id"]] = id_of(at)
        while at in messages and id_of(at) not in thread:
            row = messages[at]
            role = _ROLES.get(row["role"])
            text, thoughts = ("\n\n".join(filter(None, texts[at][kind])) for kind in ("text", "reasoning"))
            model = text_of(turn["model"]) if role == "assistant" else ""
            when = moment_of(turn["datetime_utc"])
            parent = id_of(row["parent_hash"]) or None
            kept = (text, thoughts) if role else ("", "")
            thread[id_of(at)] = Node(id_of(at), parent, role or "system", *kept, when, model or None)
            at = row["parent_hash"]
    names = _names(database, "threads")
    for thread_id, thread in nodes.items():
        name = id_of(thread_id)
        yield _conversation(name, names.get(name, ""), list(thread.values()), tips[thread_id])


def _names(database: ForeignDatabase, table: str) -> dict[str, str]:
    if not database.has(table, "id", "name"):
        return {}
    return {id_of(row["id"]): text_of(row["name"]) for row in database.select(table, "id", "name")}


def _conversation(name: str, title: str, nodes: list[Node], active: str | None) -> Entry:
    messages, active = messages_of(nodes, active)
    if not messages:
        return Skipped("conversations without a message")
    return ParsedConversation(SOURCE, name, title or title_from(messages[0].text), messages, active)
