"""What lies in the cache, and what it costs to do without it; profiles, history and models never lie there."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import AssistantError
from assistant.paths import Paths


@dataclass(frozen=True, slots=True)
class Cached:
    """One kind of thing in the cache; `size` in bytes."""

    name: str
    what: str
    path: Path
    size: int


def cached(paths: Paths) -> list[Cached]:
    """What is there, kind by kind."""
    kinds = (
        ("estimators", "chat models converted for rebuilds; converted again at the next one", paths.estimators),
        (
            "neutral",
            "replies to neutral prompts, a vector of neutral texts; made again at the next rebuild",
            paths.neutral,
        ),
        ("tunings", "how each model computes fastest here; measured again when it is loaded", paths.tunings),
        ("evaluations", "what evaluations measured; measured again by the next one", paths.evaluations),
        *(("log", "messages of libraries, no text of yours", log) for log in paths.logs),
    )
    return [Cached(name, what, path, _size(path)) for name, what, path in kinds if path.exists()]


def clear_cache(paths: Paths) -> list[Cached]:
    """Delete all of it; returns what was deleted.

    Raises: AssistantError: something cannot be deleted; what was deleted before it is gone.
    """
    there = cached(paths)
    for kind in there:
        try:
            if kind.path.is_dir():
                shutil.rmtree(kind.path)
            else:
                kind.path.unlink(missing_ok=True)
        except OSError as error:
            raise AssistantError(f"{kind.path}: cannot be deleted ({error.strerror or error})") from error
    return there


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if file.is_file())
