"""Files and folders that only their owner can read, whatever the umask."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import DatabaseReadOnlyError, DatabaseUnreadableError, DiskFullError, StorageError
from storage.values import display_path

FOLDER_MODE = 0o700
FILE_MODE = 0o600
COMPANIONS = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a database; it copies the database's mode onto new ones."""


def make_private(path: Path) -> None:
    """Create the folder (0700) and the empty file (0600) of a database, or tighten those that are there.

    Raises: StorageError: one of them cannot be made, or is not what it should be.
    """
    with translated_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        _tighten(path.parent, FOLDER_MODE)
        create_private_file(path)
        for companion in companions(path):
            _tighten(companion, FILE_MODE)


def create_private_file(path: Path) -> None:
    """Create an empty file with mode 0600, or tighten the one that is there; its content stays."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))
    except FileExistsError:
        if not path.is_file():
            raise DatabaseUnreadableError(
                f"{display_path(path)}: is not a file; move it away or use another folder"
            ) from None
    _tighten(path, FILE_MODE)


def companions(path: Path) -> list[Path]:
    """The write-ahead log and the like of the database at `path`, as far as they exist."""
    beside = (path.with_name(path.name + suffix) for suffix in COMPANIONS)
    return [companion for companion in beside if companion.exists()]


@contextmanager
def translated_os_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals at `path` into storage errors."""
    try:
        yield
    except OSError as error:
        raise _translate(error, path) from error


def _tighten(path: Path, mode: int) -> None:
    try:
        if stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)
    except FileNotFoundError:  # another process may just have removed its write-ahead log
        return


def _translate(error: OSError, path: Path) -> StorageError:
    where, why = display_path(path), error.strerror or str(error)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return DatabaseReadOnlyError(f"{where}: cannot be written ({why}); make its folder writable")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(f"{where}: no space is left on the disk; free some and try again")
    return StorageError(f"{where}: cannot be made ({why}); use another folder")
