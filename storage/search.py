"""Full-text search over messages and titles; the person's own words count more than replies."""

from __future__ import annotations

import re
import secrets

from storage.database import Database, Row
from storage.records import SearchHit

OWN_WEIGHT, REPLY_WEIGHT = 4.0, 1.0
"""How much a match in the person's own words counts beside one in a reply (BM25 column weights)."""

SNIPPET_TOKENS = 16
MAX_TERMS = 32
"""Terms of a query that are looked at; FTS5 limits the depth of an expression."""

_ONE_LINE = str.maketrans("\n\r\t\v\f", "     ")
_SNIPPET = f"-1, ?, ?, '…', {SNIPPET_TOKENS}"
_TITLES = f"""
    SELECT rowid AS conversation_id, NULL AS message_id, snippet(titles_fts, {_SNIPPET}) AS snippet
    FROM titles_fts WHERE titles_fts MATCH ? ORDER BY rank LIMIT ?
"""
_MESSAGES = f"""
    SELECT messages.conversation_id, messages.id AS message_id, snippet(messages_fts, {_SNIPPET}) AS snippet
    FROM messages_fts JOIN messages ON messages.id = messages_fts.rowid WHERE messages_fts MATCH ?
    ORDER BY bm25(messages_fts, {OWN_WEIGHT}, {REPLY_WEIGHT}), messages.id DESC LIMIT ?
"""


class Search:
    """Search in one history."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def search(self, query: str, limit: int = 50) -> list[SearchHit]:
        """Where all words of the query occur, the last one perhaps unfinished: titles first, then messages.

        Any text is a valid query; one of punctuation alone finds nothing.
        """
        expression = match_expression(query)
        if not expression:
            return []
        # Random markers cannot be part of a message.
        opened, closed = (f"\x02{secrets.token_hex(8)}\x03" for _ in range(2))
        rows: list[Row] = []
        for sql in (_TITLES, _MESSAGES):
            rows += self._db.rows(sql, (opened, closed, expression, limit - len(rows)))
        return [_hit(row, opened, closed) for row in rows]


def match_expression(query: str) -> str:
    """The query as FTS5 phrases, one a word, the last one as a prefix; empty where there is no word."""
    words = query.replace("\0", " ").split()[:MAX_TERMS]  # FTS5 reads up to a NUL
    phrases = ['"' + word.replace('"', '""') + '"' for word in words]
    return f"{' '.join(phrases)}*" if phrases else ""


def _hit(row: Row, opened: str, closed: str) -> SearchHit:
    pieces = re.split(f"{re.escape(opened)}|{re.escape(closed)}", row["snippet"].translate(_ONE_LINE))
    marks: list[tuple[int, int]] = []
    end = 0
    for index, piece in enumerate(pieces):  # every second piece is a match
        if index % 2:
            marks.append((end, end + len(piece)))
        end += len(piece)
    return SearchHit(row["conversation_id"], row["message_id"], "".join(pieces), tuple(marks))
