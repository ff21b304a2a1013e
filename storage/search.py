"""Full-text search over messages and titles; the person's own words count more than replies."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterator

from storage import looking_through
from storage.database import Database, Row, Value
from storage.records import SearchFilter, SearchHit
from storage.unspaced import UNSPACED_CHARACTER
from storage.values import from_timestamp, in_one_line, to_timestamp

OWN_WEIGHT, REPLY_WEIGHT = 4.0, 1.0
"""How much a match in the person's own words counts beside one in a reply (BM25 column weights)."""

RANKED = 4000
"""Matches that are ranked by BM25, about 10 ms; of more than that the newest come first, own words before replies."""

SNIPPET_TOKENS = 16
MAX_TERMS = 32
"""Terms of a query that are looked at; FTS5 limits the depth of an expression."""

EVERYTHING = SearchFilter()

_TERM = re.compile(r'"(?P<phrase>[^"]*)(?P<closed>"?)|(?P<word>[^\s"]+)')
_RATINGS = {"up": "= 1", "down": "= -1", "any": "IS NOT NULL"}
_SNIPPET = f"-1, ?, ?, '…', {SNIPPET_TOKENS}"
_TITLES = f"""
    SELECT c.id AS conversation_id, NULL AS message_id, NULL AS role, c.updated_at AS created_at, c.title,
        snippet(titles_fts, {_SNIPPET}) AS snippet
    FROM titles_fts CROSS JOIN conversations c ON c.id = titles_fts.rowid
    WHERE titles_fts MATCH ? AND c.deleted_at IS NULL ORDER BY rank LIMIT ?
"""
# CROSS JOIN: the index is read first, in the order asked for, and no further than the limit.
_MESSAGES = f"""
    SELECT m.conversation_id, m.id AS message_id, m.role, m.created_at, c.title,
        snippet(messages_fts, {_SNIPPET}) AS snippet
    FROM messages_fts CROSS JOIN messages m ON m.id = messages_fts.rowid
    CROSS JOIN conversations c ON c.id = m.conversation_id
    WHERE messages_fts MATCH ? AND c.deleted_at IS NULL
"""
# "+": looked up in the list for each match, which is much faster than reading the match's row.
_EDITED = "AND +messages_fts.rowid IN (SELECT id FROM messages WHERE origin = 'edited')"
_BY_RANK = f"AND rank MATCH 'bm25({OWN_WEIGHT}, {REPLY_WEIGHT})' ORDER BY rank LIMIT ?"
_BY_TIME = "ORDER BY messages_fts.rowid DESC LIMIT ?"
_MATCHES = "SELECT count(*) AS count FROM (SELECT 1 FROM messages_fts WHERE messages_fts MATCH ? LIMIT ?)"


class Search:
    """Search in one history."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def search(self, query: str, only: SearchFilter = EVERYTHING, limit: int = 50) -> list[SearchHit]:
        """Where all words and "quoted phrases" of the query occur: titles first, then messages, best first.

        The last word may be unfinished (unless a space follows it), and so is a word with a star. Any text is a
        valid query; one of punctuation alone finds nothing. Where there is a script without blanks between words in
        it, or a picture, it is found anywhere in a text; the newest come first then.
        """
        if UNSPACED_CHARACTER.search(query) or any(unicodedata.category(character) == "So" for character in query):
            return self._look_through(query, only, limit)
        expression = match_expression(query)
        if not expression:
            return []
        # Random markers cannot be part of a message.
        opened, closed = (f"\x02{secrets.token_hex(8)}\x03" for _ in range(2))
        rows: list[Row] = []
        for sql, values in self._statements(expression, only):
            if len(rows) < limit:
                rows += self._db.rows(sql, (opened, closed, *values, limit - len(rows)))
        return [_hit(row, opened, closed) for row in rows]

    def _look_through(self, query: str, only: SearchFilter, limit: int) -> list[SearchHit]:
        terms = [(term["phrase"] or term["word"].rstrip("*")).strip().lower() for term in _terms(query)]
        terms = [term for term in terms if term]
        rows: list[Row] = []
        if only == EVERYTHING:
            titles = looking_through.TITLES.format(holds=looking_through.holds("c.title", terms))
            rows += self._db.rows(titles, (*terms, limit))
        condition, values = self._condition(only, "m.id")
        messages = looking_through.MESSAGES.format(holds=looking_through.holds("m.text", terms), condition=condition)
        if len(rows) < limit:
            rows += self._db.rows(messages, (*terms, *values, limit - len(rows)))
        return [looking_through.hit_of(row, terms) for row in rows]

    def _statements(self, expression: str, only: SearchFilter) -> Iterator[tuple[str, tuple[Value, ...]]]:
        """Queries with their values, but for those of the snippet (first) and the limit (last)."""
        if only == EVERYTHING:
            yield _TITLES, (expression,)
        condition, values = self._condition(only, "messages_fts.rowid")
        [matches] = self._db.rows(_MATCHES, (expression, RANKED + 1))
        if matches["count"] <= RANKED:
            yield f"{_MESSAGES} {condition} {_BY_RANK}", (expression, *values)
            return
        of_replies = _EDITED if only.role == "assistant" or only.model else ""
        yield f"{_MESSAGES} {of_replies} {condition} {_BY_TIME}", (f"own : ({expression})", *values)
        yield f"{_MESSAGES} {condition} {_BY_TIME}", (f"reply : ({expression})", *values)

    def _condition(self, only: SearchFilter, number: str) -> tuple[str, tuple[Value, ...]]:
        """`number` is the column of the message's."""
        parts: list[str] = []
        values: list[Value] = []
        if only.after or only.before:
            times = [("m.created_at >= ?", only.after), ("m.created_at < ?", only.before)]
            given = [(part, to_timestamp(moment)) for part, moment in times if moment]
            within = " AND ".join(part for part, _ in given)
            moments = tuple(moment for _, moment in given)
            # The index knows no times: the numbers of that time bound what is read of it.
            [ends] = self._db.rows(f"SELECT min(id) AS low, max(id) AS high FROM messages m WHERE {within}", moments)
            parts += [within, f"{number} BETWEEN ? AND ?"]
            values += [*moments, ends["low"], ends["high"]]
        for part, value in (("m.model = ?", only.model), ("m.role = ?", only.role)):
            if value is not None:
                parts.append(part)
                values.append(value)
        if only.rated:
            parts.append(f"+{number} IN (SELECT message_id FROM ratings WHERE rating {_RATINGS[only.rated]})")
        return "".join(f" AND {part}" for part in parts), tuple(values)


def match_expression(query: str) -> str:
    """The query as FTS5 phrases, of which those that may be unfinished are prefixes; empty where there is no word."""
    return " ".join(_phrase(term, is_last=term.end() == len(query)) for term in _terms(query))


def _terms(query: str) -> list[re.Match[str]]:
    text = query.replace("\0", " ")  # FTS5 reads up to a NUL
    return [term for term in _TERM.finditer(text) if term["phrase"] or term["word"]][:MAX_TERMS]


def _phrase(term: re.Match[str], *, is_last: bool) -> str:
    text = term["phrase"] or term["word"]
    unfinished = text.endswith("*") if term["word"] else False
    unfinished |= is_last and not term["closed"] and not text[-1].isspace()
    return f'"{text}"*' if unfinished else f'"{text}"'


def _hit(row: Row, opened: str, closed: str) -> SearchHit:
    pieces = re.split(f"{re.escape(opened)}|{re.escape(closed)}", in_one_line(row["snippet"]))
    marks: list[tuple[int, int]] = []
    end = 0
    for index, piece in enumerate(pieces):  # every second piece is a match
        if index % 2:
            marks.append((end, end + len(piece)))
        end += len(piece)
    return SearchHit(
        conversation_id=row["conversation_id"],
        message_id=row["message_id"],
        snippet="".join(pieces),
        marks=tuple(marks),
        title=row["title"],
        role=row["role"],
        created_at=from_timestamp(row["created_at"]),
    )
