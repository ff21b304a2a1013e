"""A file of JSON Lines as it comes: any encoding that says what it is, each line an object or a reason why not."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_WIDE = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"))
_BOMS = (*_WIDE, (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class LeftOutLine:
    """A line that was not used, its number (from 1) and why."""

    line: int
    why: str


class UnusableError(ValueError):
    """Why a line cannot be used."""


def numbered_lines(data: bytes) -> Iterator[tuple[int, str | bytes]]:
    """The lines that are not blank, with their numbers from 1. UTF-8 stays bytes: one bad line spoils no other."""
    wide = next((encoding for mark, encoding in _BOMS if data.startswith(mark)), None)
    for number, line in enumerate(_split(data, wide), 1):
        if line.strip():
            yield number, line


def _split(data: bytes, wide: str | None) -> Iterator[str | bytes]:
    if wide:
        yield from data.decode(wide, "replace").split("\n")
    else:
        yield from data.removeprefix(codecs.BOM_UTF8).split(b"\n")


def json_object(line: str | bytes) -> dict[str, Any]:
    """What a line holds.

    Raises: UnusableError: no JSON object.
    """
    try:
        row = json.loads(line if isinstance(line, str) else line.decode("utf-8"))
    except UnicodeDecodeError:
        raise UnusableError("not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise UnusableError(f"not JSON ({str(error).splitlines()[0]})") from None
    if not isinstance(row, dict):
        raise UnusableError("not a JSON object")
    return row


def text_field(row: dict[str, Any], name: str) -> str:
    """A field that must be a text; it may be empty.

    Raises: UnusableError: it is missing or something else.
    """
    found = row.get(name)
    if not isinstance(found, str):
        raise UnusableError(f'"{name}" is missing or no text')
    return found
