"""Several control vectors, each times its strength, as the one file that the engine loads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import AssistantError
from storage.private_files import create_private_file

if TYPE_CHECKING:
    from steering.control_vector import ControlVector

PREFIX = "combined-"
KEPT = 4
"""Combinations that stay: another program of the same home may have one of them in force."""
_DIGITS = 24


@dataclass(frozen=True, slots=True)
class Part:
    """A control vector as the bytes of its GGUF file, and what it is multiplied with."""

    file: bytes
    strength: float


def combined_file(folder: Path, parts: Sequence[Part]) -> Path:
    """The sum of strength times vector over the parts, as a file (0600) in the folder.

    Its name tells what went in and what must be in it, so a damaged file is never used and equal parts are added once.

    Raises: AssistantError: the parts do not fit each other, or the file cannot be written.
    """
    stem = PREFIX + _digest(*(part.file + f" {part.strength!r}".encode() for part in parts))
    try:
        for known in folder.glob(f"{stem}-*.gguf"):
            if known.name == _named(stem, known.read_bytes()):
                return known
        path = _written(folder, stem, parts)
    except OSError as error:
        raise AssistantError(f"{folder}: the vectors cannot be combined in it ({error.strerror or error})") from error
    _forget_old(folder, keep=path)
    return path


def forget_combinations(folder: Path) -> None:
    """Remove all combined files; they are made anew when needed.

    Raises: AssistantError: one of them cannot be removed.
    """
    try:
        for path in folder.glob(f"*{PREFIX}*"):  # drafts that a kill left begin with a dot
            path.unlink(missing_ok=True)
    except OSError as error:
        raise AssistantError(f"{error.filename}: cannot be removed ({error.strerror}); remove it by hand") from error


def _written(folder: Path, stem: str, parts: Sequence[Part]) -> Path:
    import numpy as np

    from steering.control_vector import ControlVectorError

    draft = folder / f"{stem}.{os.getpid()}.new"
    try:
        with np.errstate(over="ignore"):  # what leaves the range of float32 is refused below
            reduce(add, (_read(part.file, draft) * part.strength for part in parts)).write_gguf(draft)
        return draft.replace(folder / _named(stem, draft.read_bytes()))
    except ControlVectorError as error:
        raise AssistantError(
            f"the vectors cannot be combined ({error}); see `assistant vectors list` and switch one off"
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _read(file: bytes, draft: Path) -> ControlVector:
    from steering.control_vector import ControlVector

    create_private_file(draft)
    draft.write_bytes(file)
    return ControlVector.read_gguf(draft)


def _forget_old(folder: Path, keep: Path) -> None:
    """Remove all but the newest combinations, unless another program does it right now."""
    with suppress(OSError):
        others = [path for path in folder.glob(f"{PREFIX}*.gguf") if path != keep]
        for path in sorted(others, key=lambda other: other.stat().st_mtime_ns)[: 1 - KEPT]:
            path.unlink(missing_ok=True)


def _named(stem: str, content: bytes) -> str:
    return f"{stem}-{_digest(content)}.gguf"


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}\n".encode())
        digest.update(part)
    return digest.hexdigest()[:_DIGITS]
