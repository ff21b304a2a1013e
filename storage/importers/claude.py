"""Claude: `conversations.json`, alone or in the archive that the service sends.

Kept are text and, as reasoning, thoughts; documents that the assistant wrote with a tool are kept as code. Left out,
and counted: attached files, results of tools.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from storage.entries import Entry, ParsedConversation, ReadOptions, Skipped
from storage.importers.json_stream import elements
from storage.importers.markdown import fenced
from storage.importers.tree import Node, messages_of
from storage.importers.values import digest, id_of, mapping_of, moment_of, text_of, title_from
from storage.records import MessageRole

SOURCE = "claude"

_ROLES: Mapping[str, MessageRole] = {"human": "user", "assistant": "assistant"}
_FILES = "attached files"
_TOOLS = "tool calls and their results"


def read(path: Path, options: ReadOptions) -> Iterator[Entry]:
    """The conversations of an export, and what is left out of each.

    Raises: InvalidImportError: unreadable, not JSON, broken off, or an archive that plays tricks.
    """
    for element in elements(path):
        yield from conversation_of(element)


def conversation_of(export: Any) -> Iterator[Entry]:
    """One conversation as the export holds it."""
    raw = export.get("chat_messages") if isinstance(export, dict) else None
    if not isinstance(raw, list):
        yield Skipped("conversations that cannot be read")
        return
    skipped: Counter[str] = Counter()
    messages, active = messages_of(_nodes(raw, skipped), id_of(export.get("current_leaf_message_uuid")))
    yield from (Skipped(what, count) for what, count in (+skipped).items())
    if not messages:
        yield Skipped("conversations without a message")
        return
    yield ParsedConversation(
        source=SOURCE,
        source_id=id_of(export.get("uuid")) or digest(messages[0].source_id),
        title=text_of(export.get("name")) or title_from(messages[0].text),
        messages=messages,
        active=active,
        created_at=moment_of(export.get("created_at")),
        updated_at=moment_of(export.get("updated_at")),
        pinned=export.get("is_starred") is True,
    )


def _nodes(raw: list[Any], skipped: Counter[str]) -> Iterator[Node]:
    """The messages; one that names no parent follows the one before it."""
    before: str | None = None
    for place, message in enumerate(raw):
        role = _ROLES.get(text_of(mapping_of(message).get("sender")))
        if role is None:
            skipped["messages of an unknown kind"] += 1
            continue
        text, reasoning = _said(message, skipped)
        # A message without an id is named after its place and text: a longer export still finds it.
        own = id_of(message.get("uuid")) or digest(str(place), text)
        parent = message.get("parent_message_uuid")
        yield Node(
            own, id_of(parent) if parent else before, role, text, reasoning, moment_of(message.get("created_at"))
        )
        before = own


def _said(message: Mapping[str, Any], skipped: Counter[str]) -> tuple[str, str]:
    """Text and reasoning of a message."""
    for attached in ("attachments", "files"):
        skipped[_FILES] += len(message[attached]) if isinstance(message.get(attached), list) else 0
    parts = message.get("content")
    texts, thoughts, used = [], [], False
    for part in parts if isinstance(parts, list) else []:
        kind = mapping_of(part).get("type")
        if kind == "thinking":
            thoughts.append(text_of(part.get("thinking")))
        elif kind == "tool_use" and text_of(mapping_of(part.get("input")).get("content")):
            texts.append(fenced(text_of(part["input"]["content"]), text_of(part["input"].get("language"))))
        elif kind in ("tool_use", "tool_result"):
            skipped[_TOOLS] += 1
            used = True
        else:
            texts.append(text_of(mapping_of(part).get("text")))
    said = "\n\n".join(text for text in texts if text)
    if not said and not used:
        # Beside the parts of a tool that was used, `text` says only that such a block "is not supported".
        said = text_of(message.get("text"))
    return said, "\n\n".join(thought for thought in thoughts if thought)
