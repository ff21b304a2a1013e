"""Numbers with their nouns."""

from __future__ import annotations


def count(number: int, singular: str, plural: str = "") -> str:
    """`1 text`, `1,204 texts`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
