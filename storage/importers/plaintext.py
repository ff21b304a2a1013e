"""Plain text and Markdown: one file is one text that nobody asked for."""

from __future__ import annotations

from pathlib import Path

from storage.errors import InvalidImportError
from storage.importers.decoding import read_utf8
from storage.records import ImportedText
from storage.values import display_path

SUFFIXES = (".txt", ".md", ".markdown")


def read(path: Path) -> list[ImportedText]:
    r"""The one text of a UTF-8 file, its line ends as \n, without blank space around it.

    Raises: InvalidImportError: unreadable, empty, another encoding, or binary.
    """
    text = read_utf8(path).replace("\r\n", "\n").replace("\r", "\n").strip()
    if not text:
        raise InvalidImportError(f"{display_path(path)}: is empty; remove it or put text into it")
    return [ImportedText(prompt="", text=text)]


def read_folder(folder: Path) -> list[ImportedText]:
    """The texts of all text files directly in a folder, sorted by name.

    Raises: InvalidImportError: nothing found, or one of the files cannot be imported.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    except OSError as error:
        raise InvalidImportError(f"{display_path(folder)}: cannot be read ({error.strerror or error})") from error
    if not files:
        kinds = ", ".join(SUFFIXES)
        raise InvalidImportError(f"{display_path(folder)}: holds no {kinds} files; give another folder or a file")
    return [text for file in files for text in read(file)]
