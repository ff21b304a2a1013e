"""Bytes of a file to import -> text, or a clear refusal."""

from __future__ import annotations

import codecs
from pathlib import Path

from storage.errors import InvalidImportError
from storage.importers.files import MAX_TEXT, reading
from storage.values import display_path

_OTHER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_utf8(path: Path) -> str:
    """The text of a UTF-8 file, without a byte order mark.

    Raises: InvalidImportError: cannot be read, another encoding, or binary.
    """
    with reading(path) as stream:
        data = stream.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise InvalidImportError(f"{display_path(path)}: is larger than {MAX_TEXT >> 20} MiB; split it into texts")
    if data.startswith(_OTHER_MARKS):
        raise InvalidImportError(f"{display_path(path)}: is UTF-16; save it as UTF-8 and import it again")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise InvalidImportError(
            f"{display_path(path)}, line {line}: holds NUL bytes, so it is not text; save it as UTF-8 text"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidImportError(
            f"{display_path(path)}, line {line}: is not UTF-8; save the file as UTF-8 and import it again"
        ) from error
