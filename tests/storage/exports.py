"""Small exports of other programs, written as those programs write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from storage.entries import Entry, ParsedConversation, ReadOptions, Skipped
from storage.importers import read_entries


def entries(path: Path, file_format: str | None = None, me: tuple[str, ...] = ()) -> list[Entry]:
    return list(read_entries(path, ReadOptions(path.parent, frozenset(me)), file_format))


def conversations(path: Path, file_format: str | None = None) -> list[ParsedConversation]:
    return [entry for entry in entries(path, file_format) if isinstance(entry, ParsedConversation)]


def skipped(path: Path, me: tuple[str, ...] = ()) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in entries(path, me=me):
        if isinstance(entry, Skipped):
            found[entry.what] = found.get(entry.what, 0) + entry.count
    return found


def node(parent: str | None, role: str, *parts: Any, time: float = 0, children: Any = (), **message: Any) -> dict:
    """A node of a ChatGPT export."""
    content = message.pop("content", {"content_type": "text", "parts": list(parts)})
    return {
        "parent": parent,
        "children": list(children),
        "message": {"author": {"role": role}, "content": content, "create_time": time or None, **message},
    }


def chatgpt(mapping: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A conversation of a ChatGPT export; every key of the mapping is also the node's id."""
    for name, entry in mapping.items():
        entry.setdefault("id", name)
    return {"id": "talk-1", "title": "A talk", "create_time": 1700000000.0, "mapping": mapping, **fields}


def written(path: Path, *exports: Any) -> Path:
    path.write_text(json.dumps(list(exports)), encoding="utf-8")
    return path
