"""JSON Lines: the shown branch of a conversation in OpenAI's format, or a text of the person's own, a line each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from storage.entries import Entry, ParsedConversation
from storage.exporters.shown import shown_branch
from storage.records import ImportedText


def pieces(entries: Iterable[Entry]) -> Iterator[str]:
    """The lines; conversations without a message and phrases under veto have none."""
    for entry in entries:
        line = _line(entry)
        if line:
            yield json.dumps(line, ensure_ascii=False) + "\n"


def _line(entry: Entry) -> dict[str, Any]:
    if isinstance(entry, ImportedText):
        return {"prompt": entry.prompt, "text": entry.text}
    branch = shown_branch(entry) if isinstance(entry, ParsedConversation) else []
    if not isinstance(entry, ParsedConversation) or not branch:
        return {}
    messages = [{"role": message.role, "content": message.text} for message in branch if message.text]
    return {"id": f"{entry.source}/{entry.source_id}", "title": entry.title, "messages": messages}
