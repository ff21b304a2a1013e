"""Everything in the home by kind: how many files, how large, and whether only their owner can read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assistant.paths import Paths

WHAT = {
    "history": "everything said, rated, imported and learned",
    "backups": "automatic copies of the history",
    "settings": "your settings",
    "profiles": "control vectors of what was learned",
    "models": "model files",
    "logs": "messages of libraries, no text of yours",
    "temporary": "files of programs that run now",
    "cache": "what is kept to be quicker, no text of your history",
    "other": "files of no kind that is known",
}
_LIVE = ("", "-wal", "-shm", "-journal")
OTHERS = stat.S_IRWXG | stat.S_IRWXO
_EFFECTIVE = os.access in os.supports_effective_ids


@dataclass(frozen=True, slots=True)
class Kind:
    """Files of one kind; `size` is in bytes, without what links lead to."""

    name: str
    files: int
    size: int


def kinds(paths: Paths) -> list[Kind]:
    """What there is, each file in one kind; kinds without a file are left out."""
    paths = _really(paths)
    sizes: dict[str, list[int]] = {name: [] for name in WHAT}
    for path, facts in _walked(paths):
        if not stat.S_ISDIR(facts.st_mode):
            sizes[_kind(path, paths)].append(facts.st_size)
    return [Kind(name, len(found), sum(found)) for name, found in sizes.items() if found]


def open_to_others(paths: Paths) -> list[Path]:
    """Files and folders that another account of this machine may read or write, or that belong to one."""
    return [path for path, facts in _walked(paths) if _is_open(facts)]


def unreadable(paths: Paths) -> list[Path]:
    """Folders that may not be looked into, so that nothing is known of what lies in them."""
    return [
        path
        for path, facts in _walked(paths)
        if stat.S_ISDIR(facts.st_mode) and not os.access(path, os.R_OK | os.X_OK, effective_ids=_EFFECTIVE)
    ]


def _is_open(facts: os.stat_result) -> bool:
    if stat.S_ISLNK(facts.st_mode):  # a link has no mode of its own
        return False
    return bool(facts.st_mode & OTHERS) or facts.st_uid != os.geteuid()


def _walked(paths: Paths) -> Iterator[tuple[Path, os.stat_result]]:
    """All files and folders of the home; what goes meanwhile or may not be looked at is passed over.

    Links are not followed, but for the home's own folders, which may lie on another disk.
    """
    paths = _really(paths)
    waiting = list(dict.fromkeys((paths.config, paths.data, paths.cache)))
    while waiting:
        path = waiting.pop()
        try:
            facts = path.lstat()
            if stat.S_ISDIR(facts.st_mode):
                with suppress(PermissionError):
                    waiting += path.iterdir()
        except (FileNotFoundError, PermissionError):
            continue
        yield path, facts


def _really(paths: Paths) -> Paths:
    return Paths(paths.config.resolve(), paths.data.resolve(), paths.cache.resolve())


def _kind(path: Path, paths: Paths) -> str:
    if path.parent == paths.data and path.name.startswith(paths.database.name):
        return "history" if path.name.removeprefix(paths.database.name) in _LIVE else "backups"
    if path in (*paths.logs, paths.last_download):
        return "logs"
    folders = {
        paths.profiles: "profiles",
        paths.models: "models",
        paths.temporary: "temporary",
        paths.config: "settings",
        paths.cache: "cache",
    }
    return next((folders[parent] for parent in path.parents if parent in folders), "other")
