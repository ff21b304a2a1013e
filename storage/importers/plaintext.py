"""Plain text and Markdown: one file is one text that nobody asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from storage.entries import Entry, ReadOptions
from storage.errors import InvalidImportError
from storage.importers.decoding import read_utf8
from storage.records import ImportedText
from storage.values import display_path

SUFFIXES = (".txt", ".md", ".markdown")


def read(path: Path, options: ReadOptions) -> Iterator[Entry]:
    r"""The one text of a UTF-8 file, its line ends as \n, without blank space around it.

    Raises: InvalidImportError: unreadable, empty, another encoding, or binary.
    """
    text = read_utf8(path).replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise InvalidImportError(f"{display_path(path)}: is empty; remove it or put text into it")
    yield ImportedText(prompt="", text=text)
