"""Files for the person, outside of the history: whole or not there at all, and readable only by them."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import StorageError
from storage.private_files import FILE_MODE, translated_os_errors
from storage.values import display_path


@contextmanager
def private_output(path: Path, *, force: bool) -> Iterator[Path]:
    """An empty file (0600) to write; it becomes `path` when the block ends, and goes when it raises.

    A link at `path` is never followed.

    Raises: StorageError: there is something at `path` and not `force`, or it cannot be written.
    """
    with translated_os_errors(path):
        _refuse_existing(path, force)
        partial = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.partial")
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))
    try:
        yield partial
        with translated_os_errors(path):
            to_disk(partial)
            _refuse_existing(path, force)
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _refuse_existing(path: Path, force: bool) -> None:
    if path.is_dir():
        raise StorageError(f"{display_path(path)}: is a folder; name a file")
    if os.path.lexists(path) and not force:
        raise StorageError(f"{display_path(path)}: exists already; choose another name, or replace it with --force")


def to_disk(path: Path) -> None:
    """Wait until what was written to a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
