"""What others keep -> conversations and texts: one module a format, each a pure function from a path to entries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from storage.entries import Entry, ReadOptions, Skipped
from storage.errors import InvalidImportError
from storage.exporters.complete import MARK
from storage.importers import chatgpt, claude, elia, jsonl, llm_logs, mail, oterm, own, plaintext, sqlite_file
from storage.importers.files import ZIP_MAGIC, holds_conversations, reading
from storage.importers.json_stream import elements
from storage.importers.values import mapping_of
from storage.values import display_path, is_file, is_folder

__all__ = ["FORMATS", "detect", "read_entries", "senders"]

Reader = Callable[[Path, ReadOptions], Iterator[Entry]]

FORMATS: Mapping[str, Reader] = {
    "assistant": own.read,
    "chatgpt": chatgpt.read,
    "claude": claude.read,
    "llm": llm_logs.read,
    "oterm": oterm.read,
    "elia": elia.read,
    "jsonl": jsonl.read,
    "mail": mail.read,
    "text": plaintext.read,
}
"""The reader of each format; a new format is a module with `read`, a line here and one in `detect`."""

_BY_SUFFIX = {
    **dict.fromkeys(plaintext.SUFFIXES, "text"),
    **dict.fromkeys(jsonl.SUFFIXES, "jsonl"),
    **dict.fromkeys(mail.SUFFIXES, "mail"),
}
_FOLDER_SUFFIXES = (*plaintext.SUFFIXES, *mail.SUFFIXES)
_JSON_FORMATS = {"mapping": "chatgpt", "chat_messages": "claude", MARK: "assistant"}
_DATABASES = {"llm": llm_logs.recognises, "oterm": oterm.recognises, "elia": elia.recognises}
_LOOKED_AT = 20
"""Elements of a JSON file that are looked at to tell its format; the first ones may be damaged."""


def read_entries(path: Path, options: ReadOptions, file_format: str | None = None) -> Iterator[Entry]:
    """All entries of a file, or of the texts, mails and conversations*.json directly in a folder, in order.

    Raises: InvalidImportError: unknown kind of file, unreadable, empty, or not what it claims to be.
    """
    path = mail.mailbox_file(path)
    if is_folder(path):
        yield from _read_folder(path, options)
    else:
        yield from FORMATS[file_format or detect(path, options)](path, options)


def detect(path: Path, options: ReadOptions) -> str:
    """The format of a file, by what is in it; the suffix decides only between kinds of plain text.

    Raises: InvalidImportError: unknown kind of file, or unreadable.
    """
    with reading(path) as stream:
        start = stream.read(1 << 12)
    suffix = path.suffix.lower()
    if start.startswith(sqlite_file.MAGIC):
        return _database_format(path, options)
    if start.startswith(ZIP_MAGIC) or suffix in (".json", ".zip"):
        return _json_format(path)
    found = _BY_SUFFIX.get(suffix) or ("mail" if start.startswith(b"From ") else None)
    if found is None:
        known = ", ".join([*_BY_SUFFIX, ".json, .zip, .db"])
        raise InvalidImportError(
            f"{display_path(path)}: unknown kind of file {path.suffix!a}; give a folder or one of {known}, "
            "or say with --format what it is"
        )
    return found


def senders(path: Path, options: ReadOptions, file_format: str | None = None) -> Counter[str]:
    """How many mails each address sent, over the mails in a file or folder; empty where there are none.

    Raises: InvalidImportError: as `read_entries`.
    """
    path = mail.mailbox_file(path)
    if is_folder(path):
        mails = [file for file in _folder_files(path)[0] if mail.holds_mails(file)]
        return sum((mail.senders(file) for file in mails), Counter())
    return mail.senders(path) if (file_format or detect(path, options)) == "mail" else Counter()


def _read_folder(folder: Path, options: ReadOptions) -> Iterator[Entry]:
    files, links = _folder_files(folder)
    if not files:
        kinds = ", ".join(_FOLDER_SUFFIXES)
        raise InvalidImportError(f"{display_path(folder)}: holds no {kinds} files; give another folder or a file")
    if links:
        yield Skipped("links to files elsewhere", links)
    for file in files:
        known = "mail" if mail.holds_mails(file) else _BY_SUFFIX.get(file.suffix.lower())
        yield from FORMATS[known or detect(file, options)](file, options)


def _folder_files(folder: Path) -> tuple[list[Path], int]:
    """The files directly in a folder that are read, by name, and how many of such names are links."""
    try:
        named = sorted(
            file for file in folder.iterdir() if _is_read_in_folders(file) and is_file(mail.mailbox_file(file))
        )
    except OSError as error:
        raise InvalidImportError(f"{display_path(folder)}: cannot be read ({error.strerror or error})") from error
    files = [
        mail.mailbox_file(file) for file in named if not (file.is_symlink() or mail.mailbox_file(file).is_symlink())
    ]
    return files, len(named) - len(files)


def _is_read_in_folders(file: Path) -> bool:
    return file.suffix.lower() in _FOLDER_SUFFIXES or holds_conversations(file.name)


def _json_format(path: Path) -> str:
    empty = True
    for element in islice(elements(path), _LOOKED_AT):
        empty = False
        for key, name in _JSON_FORMATS.items():
            if key in mapping_of(element):
                return name
    what = "holds no conversation" if empty else "is JSON of an unknown kind"
    raise InvalidImportError(
        f"{display_path(path)}: {what}; give an export of ChatGPT or Claude, or one of this assistant, "
        "or write JSON Lines (.jsonl)"
    )


def _database_format(path: Path, options: ReadOptions) -> str:
    with sqlite_file.opened(path, options.scratch) as database:
        for name, recognises in _DATABASES.items():
            if recognises(database):
                return name
    raise InvalidImportError(
        f"{display_path(path)}: is a database of an unknown program; give one of {', '.join(_DATABASES)}"
    )
