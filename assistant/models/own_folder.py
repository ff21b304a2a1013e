"""The models folder: files are linked or moved into it, and only what lies in it is ever removed."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ModelError
from assistant.models.catalogue import load_catalogue
from assistant.models.header import read_header
from assistant.models.notes import origin_notes, wanted_notes
from assistant.paths import Paths
from steering.models.splits import first_part, part_names, parts

PARTS = ".incoming"
"""Folder of unfinished downloads inside the models folder: moving into place is then one step."""
_PART = ".part"


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What came of a download that was interrupted; `size` in bytes. `wanted` lets it go on; "" where unknown."""

    name: str
    path: Path
    size: int
    wanted: str = ""


def add_model(path: Path, paths: Paths, *, move: bool) -> Path:
    """Put a model file (all parts of it) into the models folder: a link to it, or the file itself.

    Raises: ModelError: it cannot be used, one of that name is there, or it cannot be linked or moved.
    """
    source = first_part(path.expanduser().absolute())
    read_header(source)
    if move and (link := next((part for part in parts(source) if part.is_symlink()), None)):
        raise ModelError(f"{link}: is a link to {link.resolve()}; add that file, or add this one without --move")
    targets = [paths.models / part.name for part in parts(source)]
    taken = next((target for target in targets if os.path.lexists(target)), None)
    if taken:
        raise ModelError(f"{taken}: is there already; remove that one first: assistant models remove {taken.name}")
    try:
        # The first part last: a split model is whole when it can be seen.
        for part, target in reversed(list(zip(parts(source), targets, strict=True))):
            if move:
                shutil.move(part, target)
                target.chmod(0o600)
            else:
                target.symlink_to(part.resolve())
    except OSError as error:
        raise ModelError(f"{source}: cannot be put into {paths.models} ({error.strerror or error})") from error
    return targets[0]


def remove_model(path: Path, paths: Paths) -> None:
    """Delete a model of the models folder; of a linked one only the link.

    Raises: ModelError: it lies elsewhere, or cannot be deleted.
    """
    if path.parent != paths.models:
        raise ModelError(f"{path}: lies outside of {paths.models} and is not ours to delete")
    try:
        for part in parts(path):
            part.unlink(missing_ok=True)
    except OSError as error:
        raise ModelError(f"{path}: cannot be deleted ({error.strerror or error})") from error
    origin_notes(paths.models).forget([path.name])


def part_file(name: str, sha256: str) -> str:
    """What the unfinished file of a download is called: files of one name from two repositories are told apart."""
    return f"{name}.{sha256[:16]}{_PART}"


def unfinished_downloads(paths: Paths) -> list[Unfinished]:
    """Downloads that were interrupted, by name."""
    found = sorted((paths.models / PARTS).glob(f"*{_PART}"))
    wanted = _in_catalogue() | wanted_notes(paths.models).read()
    named = [(path.name.rsplit(".", 2)[0], path) for path in found]
    return [Unfinished(name, path, path.stat().st_size, wanted.get(path.name, "")) for name, path in named]


def _in_catalogue() -> dict[str, str]:
    return {part_file(model.file, model.sha256): model.name for model in load_catalogue().models}


def give_up_download(given_up: Unfinished, paths: Paths) -> None:
    """Delete what came of an interrupted download, all parts of it.

    Raises: ModelError: it cannot be deleted.
    """
    names = part_names(given_up.name)
    for left in unfinished_downloads(paths):
        if left.name in names and left.wanted == given_up.wanted:
            try:
                left.path.unlink(missing_ok=True)
            except OSError as error:
                raise ModelError(f"{left.path}: cannot be deleted ({error.strerror or error})") from error
            wanted_notes(paths.models).forget([left.path.name])
