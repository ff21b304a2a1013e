"""What an interrupted download was asked for by, so that it can go on without being named again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from storage.private_files import create_private_file

FILE = ".wanted.json"
"""In the models folder: the name of a file that is coming, and what names it (see `parse_wanted`)."""


def wanted_names(folder: Path) -> dict[str, str]:
    """By the name of each file that is coming; empty where nothing is known."""
    with suppress(OSError, ValueError):
        read = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if isinstance(read, dict):
            return {name: wanted for name, wanted in read.items() if isinstance(wanted, str)}
    return {}


def note_wanted(folder: Path, names: Iterable[str], wanted: str) -> None:
    """Note what files are asked for by; a disk that cannot be written must not keep anybody from downloading."""
    _write(folder, wanted_names(folder) | dict.fromkeys(names, wanted))


def forget_wanted(folder: Path, names: Iterable[str]) -> None:
    """Drop the notes of files that came, or that are given up."""
    gone = set(names)
    before = wanted_names(folder)
    if gone & before.keys():
        _write(folder, {name: wanted for name, wanted in before.items() if name not in gone})


def _write(folder: Path, names: dict[str, str]) -> None:
    path = folder / FILE
    draft = path.with_suffix(".new")
    with suppress(OSError):
        if not names:
            path.unlink(missing_ok=True)
            return
        create_private_file(draft)
        draft.write_text(json.dumps(names), encoding="utf-8")
        draft.replace(path)
