"""The bytes of a file to import, or of the files in an archive: opened with care, told apart by their beginning."""

from __future__ import annotations

import codecs
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from storage.errors import InvalidImportError
from storage.values import display_path

ZIP_MAGIC = b"PK\x03\x04"
MAX_UNPACKED = 8 << 30
"""Bytes that the conversations of one archive may have; they are read as a stream, so this only bounds the time."""

MAX_TEXT = 16 << 20
"""Bytes of one text, or one line of several: more is no text of a person's, and would fill the memory."""

MAX_RATIO = 400
"""How many times larger than packed a file in an archive may be; repetitive conversations reach about 50."""

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_ARCHIVE_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, struct.error)
_ENCRYPTED = 0x1
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


@contextmanager
def reading(path: Path) -> Iterator[IO[bytes]]:
    """An ordinary file, opened for reading.

    Raises: InvalidImportError: it cannot be read, or is a device, a pipe or the like.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InvalidImportError(f"{display_path(path)}: is not an ordinary file; save it as one and import that")
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise InvalidImportError(f"{display_path(path)}: cannot be read ({error.strerror or error})") from error


class Source:
    """A stream of bytes without a byte order mark; errors of disk and archive come as InvalidImportError."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self.name = name
        self._stream = stream
        self._unread = b""
        self.allow(MAX_TEXT)
        start = self.read(1 << 12)
        if start.startswith(_UTF16_MARKS):
            raise InvalidImportError(f"{name}: is UTF-16; save it as UTF-8 and import it again")
        self.beginning = self._unread = start.removeprefix(codecs.BOM_UTF8)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; empty at the end."""
        if self._unread:
            given, self._unread = self._unread[:size], self._unread[size:]
            return given
        try:
            data = self._stream.read(size)
        except OSError as error:
            raise InvalidImportError(f"{self.name}: cannot be read ({error.strerror or error})") from error
        except _ARCHIVE_ERRORS as error:
            raise InvalidImportError(f"{self.name}: is in a damaged archive; download it again") from error
        self._allowed -= len(data)
        if self._allowed < 0:
            raise InvalidImportError(f"{self.name}: holds an entry too large to be read; take it out")
        return data

    def allow(self, size: int) -> None:
        """Let `size` more bytes be read; beyond them `read` raises."""
        self._allowed = size


def json_files(path: Path) -> Iterator[Source]:
    """The file itself, or the conversations*.json of an archive.

    Raises: InvalidImportError: unreadable, UTF-16, or an archive that is damaged or plays tricks.
    """
    where = display_path(path)
    with reading(path) as stream:
        is_archive = stream.read(len(ZIP_MAGIC)) == ZIP_MAGIC
        stream.seek(0)
        if not is_archive:
            yield Source(stream, where)
            return
        try:
            archive = zipfile.ZipFile(stream)
        except _ARCHIVE_ERRORS as error:
            raise InvalidImportError(f"{where}: is a damaged archive; download it again") from error
        for member in _conversation_files(archive, where):
            try:
                unpacked = archive.open(member)
            except _ARCHIVE_ERRORS as error:
                raise InvalidImportError(f"{where}: is a damaged archive; download it again") from error
            with unpacked:
                yield Source(unpacked, f"{where}/{member.filename}")


def _conversation_files(archive: zipfile.ZipFile, where: str) -> list[zipfile.ZipInfo]:
    for member in archive.infolist():
        _refuse_tricks(member, where)
    found = sorted((m for m in archive.infolist() if holds_conversations(m.filename)), key=lambda m: m.filename)
    if not found:
        raise InvalidImportError(f"{where}: holds no conversations.json; give the archive that the service sent you")
    for member in found:
        if member.flag_bits & _ENCRYPTED or member.compress_type not in _METHODS:
            raise InvalidImportError(
                f"{where}: {member.filename!a} is encrypted or packed in an unknown way; unpack it and import that"
            )
        if member.file_size > 1 << 20 and member.file_size > MAX_RATIO * member.compress_size:
            raise InvalidImportError(
                f"{where}: {member.filename!a} would unpack to more than {MAX_RATIO} times its size, so nothing of "
                "it is read; if you trust it, unpack it and import that"
            )
    if sum(member.file_size for member in found) > MAX_UNPACKED:
        raise InvalidImportError(f"{where}: would unpack to more than {MAX_UNPACKED >> 30} GiB; unpack and split it")
    return found


def _refuse_tricks(member: zipfile.ZipInfo, where: str) -> None:
    name = member.filename.replace("\\", "/")
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    if is_link or name.startswith("/") or ".." in PurePosixPath(name).parts or name[1:2] == ":":
        raise InvalidImportError(
            f"{where}: holds a link or a path that leads out of the archive ({member.filename!a}), which no export "
            "does; nothing of it is read"
        )


def holds_conversations(name: str) -> bool:
    """Whether a file of this name in an export is one with conversations; large exports have several."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.name.startswith("conversations") and path.suffix == ".json" and "__MACOSX" not in path.parts
