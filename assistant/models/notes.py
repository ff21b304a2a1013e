"""What is known of files of the models folder by their names, in small files beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from storage.private_files import create_private_file


@dataclass(frozen=True, slots=True)
class Notes:
    """A line of text for each of some files. A disk that cannot be written must not keep anybody from downloading."""

    path: Path

    def read(self) -> dict[str, str]:
        """By the name of each file; empty where nothing is known."""
        with suppress(OSError, ValueError):
            read = json.loads(self.path.read_text(encoding="utf-8"))
            if isinstance(read, dict):
                return {name: text for name, text in read.items() if isinstance(text, str)}
        return {}

    def note(self, names: Iterable[str], text: str) -> None:
        """Note the same of several files."""
        self._write(self.read() | dict.fromkeys(names, text))

    def forget(self, names: Iterable[str]) -> None:
        """Drop what is noted of some files."""
        gone, before = set(names), self.read()
        if gone & before.keys():
            self._write({name: text for name, text in before.items() if name not in gone})

    def _write(self, texts: Mapping[str, str]) -> None:
        draft = self.path.with_suffix(".new")
        with suppress(OSError):
            if not texts:
                self.path.unlink(missing_ok=True)
                return
            create_private_file(draft)
            draft.write_text(json.dumps(texts), encoding="utf-8")
            draft.replace(self.path)


def wanted_notes(folder: Path) -> Notes:
    """What names each download of a part file (see `parse_wanted`), so that it can go on by itself."""
    return Notes(folder / ".wanted.json")


def origin_notes(folder: Path) -> Notes:
    """Where each file was downloaded from, and how it was then."""
    return Notes(folder / ".origins.json")
