"""Paths are completed as they are typed; the right arrow takes what is offered."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from textual.suggester import Suggester

from assistant.visible import sanitise


class PathSuggester(Suggester):
    """Offers the first file or folder that begins as written, folders with a slash."""

    def __init__(self) -> None:
        # Files come and go, and on many systems case matters.
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The whole path, or None where nothing begins so."""
        return await asyncio.to_thread(_completed, value) if value.strip() else None


def expanded(value: str) -> Path:
    """The path that was written, with `~` for the home folder."""
    return Path(os.path.expanduser(value.strip()))  # noqa: PTH111  # Path.expanduser raises where there is no such user


def is_file(path: Path) -> bool:
    """Whether there is a file to be replaced that one can see."""
    return os.path.isfile(path)  # noqa: PTH113  # Path.is_file raises where the folder is closed


def _completed(value: str) -> str | None:
    folder, _, begun = value.rpartition("/")
    try:
        inside = expanded(folder + "/" if "/" in value else ".")
        names = sorted(entry.name + "/" * entry.is_dir() for entry in inside.iterdir() if entry.name.startswith(begun))
    except OSError:
        return None
    offered = [name for name in names if begun or not name.startswith(".")]
    # A name that cannot be shown as it is could not be taken as it is.
    return next((value + name[len(begun) :] for name in offered if sanitise(name) == name), None)
