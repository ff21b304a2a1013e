"""Conversions between what Python holds and what the file holds: text, times, paths in messages."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path


def clean_text(text: str) -> str:
    """`text` as storable Unicode: surrogates that form a pair are joined, lone ones become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def is_file(path: Path) -> bool:
    """Whether there is a file that one can see; where the name is impossible or the folder closed there is none."""
    return os.path.isfile(path)  # noqa: PTH113  # Path.is_file raises then


def is_folder(path: Path) -> bool:
    """Whether there is a folder that one can see."""
    return os.path.isdir(path)  # noqa: PTH112  # Path.is_dir raises where `is_file` would


_BREAKS = str.maketrans("\n\r\t\v\f", "     ")


def in_one_line(text: str) -> str:
    """`text` with blanks for what breaks lines; every character keeps its place."""
    return text.translate(_BREAKS)


def display_path(path: Path) -> str:
    """`path` as it can be shown, also where its name is not valid UTF-8."""
    return os.fsencode(path).decode(errors="replace")


def to_stretches(stored: str) -> tuple[tuple[int, int], ...]:
    """Places in a text as they are kept: JSON, a list of [start, end]."""
    return tuple((start, end) for start, end in json.loads(stored))


def now() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(UTC)


def to_timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC at a fixed width, so that the order of the texts is the order of the times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def from_timestamp(text: str) -> datetime:
    """The aware datetime of `to_timestamp`."""
    return datetime.fromisoformat(text)
