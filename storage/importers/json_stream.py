"""Large JSON files, read piece by piece, so that a file of gigabytes needs the memory of one conversation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ijson

from storage.errors import InvalidImportError
from storage.importers.files import Source, json_files

MAX_DEPTH = 200
"""Nesting that is read; exports nest about ten deep."""

MAX_ENTRY, MAX_VALUES = 64 << 20, 2_000_000
"""Bytes and values of one entry, which is held in memory; the largest conversations have about a tenth."""

_CHUNK = 1 << 20
"""Bytes that are parsed at once: a long string is read again from its beginning for each."""

_OPENING, _CLOSING = frozenset({"start_map", "start_array"}), frozenset({"end_map", "end_array"})


def elements(path: Path) -> Iterator[Any]:
    """The elements of the array in a JSON file or in an archive of such files; of an object, the object itself.

    Raises: InvalidImportError: unreadable, not JSON, broken off, or nested deeper than MAX_DEPTH.
    """
    for source in json_files(path):
        yield from _values(source, 1 if source.beginning.lstrip().startswith(b"[") else 0)


def _values(source: Source, level: int) -> Iterator[Any]:
    """The values that stand `level` brackets deep in the stream."""
    depth = count = held = 0
    source.allow(MAX_ENTRY)
    builder = ijson.ObjectBuilder()
    try:
        # Events without their paths: ijson's own `items` keeps a path as long as the nesting at every level.
        for event, value in ijson.basic_parse(source, use_float=True, buf_size=_CHUNK):
            depth -= event in _CLOSING
            held += 1
            if held > MAX_VALUES:
                raise _unreadable(source.name, count, f"has an entry of more than {MAX_VALUES:,} values")
            if depth >= level:
                builder.event(event, value)
            if event in _OPENING:
                depth += 1
                if depth > MAX_DEPTH:
                    raise _unreadable(source.name, count, f"nests deeper than {MAX_DEPTH} levels")
            elif depth == level:
                yield builder.value
                count, held = count + 1, 0
                source.allow(MAX_ENTRY)
                builder = ijson.ObjectBuilder()
    except ijson.JSONError as error:
        what = "is not UTF-8" if "UTF8" in str(error) else "is not JSON that can be read, or breaks off"
        raise _unreadable(source.name, count, what) from error
    except UnicodeDecodeError as error:
        raise _unreadable(source.name, count, "is not UTF-8") from error
    except (ValueError, ArithmeticError) as error:
        raise _unreadable(source.name, count, "holds a number that cannot be read") from error


def _unreadable(name: str, count: int, what: str) -> InvalidImportError:
    after = f", after entry {count:,}" if count else ""
    return InvalidImportError(f"{name}{after}: {what}; get the file anew and import it again")
