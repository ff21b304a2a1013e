"""Texts of the person's own from files: one module a format, each a pure function from a path to texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from storage.errors import InvalidImportError
from storage.importers import jsonl, plaintext
from storage.records import ImportedText
from storage.values import display_path

__all__ = ["READERS", "read_texts"]

READERS: dict[str, Callable[[Path], list[ImportedText]]] = {
    **dict.fromkeys(jsonl.SUFFIXES, jsonl.read),
    **dict.fromkeys(plaintext.SUFFIXES, plaintext.read),
}
"""The reader for each suffix; a new format is a module with SUFFIXES and `read`, and a line here."""


def read_texts(path: Path) -> list[ImportedText]:
    """All texts of a file, or of the text files directly in a folder, in order; never an empty list.

    Raises: InvalidImportError: unknown suffix, unreadable, empty, or not what the suffix says.
    """
    if path.is_dir():
        return plaintext.read_folder(path)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(READERS)
        raise InvalidImportError(
            f"{display_path(path)}: unknown kind of file {path.suffix!a}; give a folder or one of {known}"
        )
    return reader(path)
