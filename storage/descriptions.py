"""Descriptions of profile versions: taking out of them what tells of forgotten text."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Collection

from storage.database import Database

_WORD = re.compile(r"[^\W_]{3,}")


def folded(text: str) -> str:
    """`text` as it is compared: case, width and the way accents are written do not count."""
    return unicodedata.normalize("NFKC", text).casefold()


def words_of(text: str) -> set[str]:
    """Its words of three letters or more, folded."""
    return set(_WORD.findall(folded(text)))


def described_words(db: Database, versions: Collection[int]) -> set[str]:
    """All words of the descriptions of these versions."""
    texts = (text for version in versions for text in _descriptions(db, version))
    return set().union(*map(words_of, texts))


def count_lines(db: Database, of: Callable[[str], bool]) -> int:
    """How many lines of the descriptions in use are of a kind."""
    return sum(
        of(line) for row in db.rows("SELECT description FROM profiles") for line in row["description"].split("\n")
    )


def keep_lines(db: Database, versions: Collection[int], keep: Callable[[str], bool]) -> None:
    """Take all other lines out of the descriptions of these versions (inside a transaction)."""

    def kept(text: str) -> str:
        return "\n".join(line for line in text.split("\n") if keep(line))

    for version in versions:
        [row] = db.rows("SELECT description, outcome FROM profiles WHERE version = ?", (version,))
        outcome = json.loads(row["outcome"])
        if isinstance(outcome.get("description"), str):
            outcome["description"] = kept(outcome["description"])
        values = (kept(row["description"]), json.dumps(outcome), version)
        db.write("UPDATE profiles SET description = ?, outcome = ? WHERE version = ?", values)


def _descriptions(db: Database, version: int) -> list[str]:
    """As it is in use, and as the rebuild made it."""
    [row] = db.rows("SELECT description, outcome FROM profiles WHERE version = ?", (version,))
    return [row["description"], str(json.loads(row["outcome"]).get("description", ""))]
