"""Search without the index, which takes a whole sentence without blanks for one word: every text is looked through."""

from __future__ import annotations

import re
from collections.abc import Sequence

from storage.database import Row
from storage.records import SearchHit
from storage.values import from_timestamp, in_one_line

BEFORE, SHOWN = 12, 60
"""Characters that are shown before the first match, and in all."""

TITLES = """
    SELECT c.id AS conversation_id, NULL AS message_id, NULL AS role, c.updated_at AS created_at, c.title,
        c.title AS text FROM conversations c
    WHERE c.deleted_at IS NULL AND {holds} ORDER BY c.updated_at DESC, c.id DESC LIMIT ?
"""
MESSAGES = """
    SELECT m.conversation_id, m.id AS message_id, m.role, m.created_at, c.title, m.text
    FROM messages m JOIN conversations c ON c.id = m.conversation_id
    WHERE c.deleted_at IS NULL AND m.state <> 'streaming' AND {holds} {condition}
    ORDER BY m.role = 'user' OR m.origin = 'edited' DESC, m.id DESC LIMIT ?
"""


def holds(column: str, terms: Sequence[str]) -> str:
    """SQL: a text holds all of these terms, which are its values, in small letters."""
    return " AND ".join([f"instr(lower({column}), ?) > 0"] * len(terms))


def hit_of(row: Row, terms: Sequence[str]) -> SearchHit:
    """A row of TITLES or MESSAGES, with the text around the first match."""
    text = in_one_line(row["text"])
    pattern = re.compile("|".join(re.escape(term) for term in sorted(terms, key=len, reverse=True)), re.IGNORECASE)
    first = pattern.search(text)
    start = max(0, first.start() - BEFORE) if first else 0
    if start + SHOWN >= len(text):
        start = max(0, len(text) - SHOWN)
    head, tail = "…" if start else "", "…" if start + SHOWN < len(text) else ""
    shown = text[start : start + SHOWN]
    return SearchHit(
        conversation_id=row["conversation_id"],
        message_id=row["message_id"],
        snippet=f"{head}{shown}{tail}",
        marks=tuple((found.start() + len(head), found.end() + len(head)) for found in pattern.finditer(shown)),
        title=row["title"],
        role=row["role"],
        created_at=from_timestamp(row["created_at"]),
    )
