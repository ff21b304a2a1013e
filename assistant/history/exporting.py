"""Taking the history elsewhere: conversations and texts as files, the whole of it as a backup, and back again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assistant.paths import Paths
from assistant.reporting import reports_storage_errors, storage_errors_reported
from storage.automatic import backups
from storage.backup import check_backup as check_file
from storage.backup import make_backup, restore_backup
from storage.entries import Entry, VetoedPhrase
from storage.exporters import FORMATS
from storage.private_files import translated_os_errors
from storage.private_output import private_output
from storage.store import Store


@dataclass(frozen=True, slots=True)
class BackupFile:
    """A copy of the history that was made by itself; `size` in bytes."""

    path: Path
    made_at: datetime
    size: int


@reports_storage_errors
class Exporting:
    """Exports and backups of one home."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def pieces(self, file_format: str, conversations: Collection[int] = ()) -> Iterator[str]:
        """An export as pieces of text: of these conversations, or of everything.

        `file_format`: "json" (complete, can be imported again), "markdown" or "jsonl".

        Raises: AssistantError: one of the conversations is not there.
        """
        for number in conversations:
            self._store.conversations.get(number)
        return FORMATS[file_format](self._entries(conversations))

    def write(
        self, target: Path, file_format: str, conversations: Collection[int] = (), *, force: bool = False
    ) -> None:
        """Write an export to a file (0600), whole or not at all.

        Raises: AssistantError: it exists and not `force`, cannot be written, or a conversation is not there.
        """
        pieces = self.pieces(file_format, conversations)
        with (
            private_output(target, force=force) as partial,
            translated_os_errors(target),
            partial.open("w", encoding="utf-8", newline="") as stream,
        ):
            stream.writelines(pieces)

    def back_up(self, target: Path, *, force: bool = False) -> None:
        """Write a verified copy of the whole history to a file (0600), whole or not at all.

        Raises: AssistantError: it exists and not `force`, or cannot be written.
        """
        make_backup(self._store.path, target, force=force)

    def _entries(self, conversations: Collection[int]) -> Iterator[Entry]:
        if conversations:
            yield from self._store.transfer.conversations(conversations)
            return
        yield from self._store.transfer.conversations()
        yield from self._store.transfer.texts()
        yield from map(VetoedPhrase, self._store.feedback.vetoed_phrases())


def check_backup(backup: Path) -> None:
    """Look whether a file can be a backup, before somebody is asked; `restore` reads the whole of it.

    Raises: AssistantError: it is not there, or is no history.
    """
    with storage_errors_reported():
        check_file(backup)


def restore(paths: Paths, backup: Path) -> Path | None:
    """Put a backup in the place of the history, which no assistant may have open; also of a damaged one.

    Returns: where the history of before is kept, if there was one.

    Raises: AssistantError: the backup cannot be used, or the history is in use; nothing is changed.
    """
    with storage_errors_reported():
        return restore_backup(paths.database, backup)


def automatic_backups(paths: Paths) -> list[BackupFile]:
    """The copies that were made by themselves, the newest first."""
    with storage_errors_reported(), translated_os_errors(paths.database):
        if not paths.data.is_dir():
            return []
        files = [file for file in backups(paths.database) if not file.name.endswith((".partial", "-wal", "-shm"))]
        found = [
            BackupFile(file, datetime.fromtimestamp(file.stat().st_mtime).astimezone(), file.stat().st_size)
            for file in files
        ]
    return sorted(found, key=lambda backup: backup.made_at, reverse=True)
