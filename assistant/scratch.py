"""Temporary files: inside the home, readable by the user only, and gone when the program is, however it ended."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from assistant.paths import TEMPORARY, Paths
from storage.process_identity import identity_of

_DRAFT = re.compile(r"(?:.*\.)?([0-9]+)\.(?:new|partial)")
"""A draft names the process that writes it: `NAME.123.new`."""
_UNNAMED = re.compile(r"settings\.new|version-[0-9]+\.new|import-.*|history\.db\.restoring(?:-wal|-shm)?")
_LEFT_BEHIND_SECONDS = 3600
"""Age from which a draft that names nobody belongs to nobody who still runs."""


def scratch_folder(cache: Path) -> Path:
    """This process's own folder for temporary files, made where it is not there; its children use it too.

    Raises: OSError: it cannot be made.
    """
    folder = cache / TEMPORARY / str(os.getpid())
    for path in (cache, cache / TEMPORARY, folder):
        path.mkdir(mode=0o700, exist_ok=True)
    return folder


def remove_scratch(cache: Path) -> None:
    """Remove what this process kept for a while."""
    shutil.rmtree(cache / TEMPORARY / str(os.getpid()), ignore_errors=True)
    with suppress(OSError):
        (cache / TEMPORARY).rmdir()


def remove_abandoned(paths: Paths) -> None:
    """Remove what processes left that were killed; files of those that run stay."""
    for path in _candidates(paths):
        if _is_abandoned(path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink(missing_ok=True)


def _candidates(paths: Paths) -> Iterator[Path]:
    folders = (paths.cache, paths.temporary, paths.estimators, paths.neutral)
    for folder in (*folders, paths.data, paths.profiles, paths.config):
        with suppress(OSError):
            yield from list(folder.iterdir())


def _is_abandoned(path: Path) -> bool:
    owner = re.fullmatch("([0-9]+)", path.name) if path.parent.name == TEMPORARY else _DRAFT.fullmatch(path.name)
    if owner:
        return int(owner[1]) != os.getpid() and identity_of(int(owner[1])) is None
    with suppress(OSError):
        return bool(_UNNAMED.fullmatch(path.name)) and time.time() - path.lstat().st_mtime > _LEFT_BEHIND_SECONDS
    return False
