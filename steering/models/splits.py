"""Models that come as several files: NAME-00001-of-00003.gguf and so on; the first one is what is loaded."""

from __future__ import annotations

import re
from pathlib import Path

_NAMED = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
MOST_PARTS = 999
PATTERN = "*.[gG][gG][uU][fF]"
"""Matches the files of models."""


def part_names(name: str) -> list[str]:
    """The names of all parts of the model that the file `name` belongs to: itself where it is no part."""
    found = _NAMED.fullmatch(name)
    if not found or not 1 <= int(found["number"]) <= int(found["count"]) <= MOST_PARTS:
        return [name]
    count = int(found["count"])
    return [f"{found['stem']}-{number:05}-of-{count:05}{name[-5:]}" for number in range(1, count + 1)]


def parts(path: Path) -> list[Path]:
    """The files of a model, the first one first; some of them may be missing."""
    return [path.with_name(name) for name in part_names(path.name)]


def first_part(path: Path) -> Path:
    """What is to be loaded: the first part of a split model, else the file itself."""
    return parts(path)[0]


def is_first(path: Path) -> bool:
    """Whether a file is a model by itself, or the first part of one."""
    return first_part(path) == path


def model_size(path: Path) -> int:
    """Bytes of all the parts that are there."""
    return sum(part.stat().st_size for part in parts(path) if part.is_file())
