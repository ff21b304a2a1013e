"""Invented preferences as lines for `assistant evaluate --preferences`."""

from __future__ import annotations

import json
from pathlib import Path

TOPICS = ("bread", "music", "travel", "sport", "hotels", "games", "pets", "books", "cars")


def preference_line(topic: str, number: int, /, **more: object) -> str:
    row = {
        "item_id": f"{topic}-{number}",
        "topic": topic,
        "preference": f"I really dislike {topic} of the sort {number} and avoid it.",
        "question": f"What would you recommend in {topic}?",
        "options": [f"Try the other {topic}.", f"Take {topic} of sort {number}.", f"Buy {number} more {topic}."],
        "correct_index": 0,
    }
    return json.dumps(row | more)


def preference_lines(each: int) -> list[str]:
    """`each` preferences of every topic."""
    return [preference_line(topic, number) for number in range(each) for topic in TOPICS]


def write_preferences(path: Path, each: int, *more: str | bytes) -> Path:
    """A file of them, `more` lines at its end."""
    lines = (*preference_lines(each), *more)
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\n")
    return path
