"""JSON with all there is: every branch, ratings, edits, reasoning, figures, titles, tags, texts, vetoes.

`storage.importers.own` reads it back to the same; the same history gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from storage.entries import Entry, ParsedConversation, VetoedPhrase
from storage.records import ImportedText

MARK, VERSION = "private_assistant_history", 1
"""The key that marks such a file, and what it says: the version of the format."""

CONVERSATION, TEXT, VETO = "conversation", "text", "vetoed_phrase"
"""The kinds of entries: the one key of each."""


def pieces(entries: Iterable[Entry]) -> Iterator[str]:
    """The file, an entry at a time."""
    yield "[\n" + json.dumps({MARK: VERSION})
    for entry in entries:
        yield ",\n" + json.dumps(_plain(entry), ensure_ascii=False, default=_moment)
    yield "\n]\n"


def _plain(entry: Entry) -> dict[str, Any]:
    match entry:
        case ParsedConversation():
            return {CONVERSATION: asdict(entry)}
        case ImportedText():
            return {TEXT: asdict(entry)}
        case VetoedPhrase():
            return {VETO: entry.phrase}
        case _:
            raise TypeError(f"{type(entry).__name__} is nothing that a history holds")


def _moment(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is nothing that a history holds")
