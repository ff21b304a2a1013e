"""Bringing in what was said and written elsewhere: looked at first, then added, as often as one likes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ImportFileError
from assistant.paths import Paths
from assistant.reporting import storage_errors_reported
from assistant.scratch import remove_abandoned, scratch_folder
from storage.entries import Entry, ParsedConversation, ReadOptions, Skipped, VetoedPhrase
from storage.errors import InvalidImportError
from storage.records import ImportCounts, ImportedText
from storage.store import Store

Progress = Callable[[int], None]
"""Told again and again how many messages and texts are done."""

_BATCH = 1000
"""Messages and texts that are added in one transaction: others wait for no more than that."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file holds. `me` are the addresses taken for the person's, a guess among `senders` if `guessed`."""

    path: Path
    file_format: str | None
    conversations: int
    messages: int
    own_messages: int
    texts: int
    skipped: dict[str, int]
    me: tuple[str, ...] = ()
    senders: int = 0
    guessed: bool = False

    @property
    def entries(self) -> int:
        """Messages and texts together: what progress counts."""
        return self.messages + self.texts


class Importing:
    """Imports of one home."""

    def __init__(self, store: Store, paths: Paths) -> None:
        self._store = store
        self._paths = paths

    async def preview(
        self, path: Path, *, file_format: str | None = None, me: Collection[str] = (), progress: Progress | None = None
    ) -> Preview:
        """Read a file or folder to its end and count, without adding anything.

        `file_format` is one of `formats`, found out if None; without `me`, the most frequent sender of mails counts as
        the person.

        Raises: ImportFileError: it cannot be read as what it claims to be; says where and why.
        """
        with _import_errors():
            remove_abandoned(self._paths)
            senders = await asyncio.to_thread(self._senders, path, file_format)
            mine = tuple(sorted(address.strip().casefold() for address in me)) if senders else ()
            guessed = bool(senders and not mine)
            if guessed:
                mine = (senders.most_common(1)[0][0],)
            conversations = messages = own = texts = 0
            skipped: Counter[str] = Counter()
            for entry in self._entries(path, file_format, mine):
                match entry:
                    case ParsedConversation():
                        conversations += 1
                        messages += len(entry.messages)
                        own += sum(message.role == "user" for message in entry.messages)
                    case ImportedText():
                        texts += 1
                    case Skipped():
                        skipped[entry.what] += entry.count
                await _breathe(progress, messages + texts)
        counts = (conversations, messages, own, texts)
        return Preview(path, file_format, *counts, dict(skipped), mine, len(senders), guessed)

    async def add(self, preview: Preview, progress: Progress | None = None) -> ImportCounts:
        """Add what was looked at. Cancelled or failed, it leaves whole conversations; doing it again adds the rest.

        Raises: ImportFileError: the file has changed and cannot be read any more. AssistantError: it cannot be stored.
        """
        total = ImportCounts()
        done = 0
        waiting: list[Entry] = []
        with _import_errors():
            for entry in self._entries(preview.path, preview.file_format, preview.me):
                waiting.append(entry)
                done += len(entry.messages) if isinstance(entry, ParsedConversation) else 1
                if done >= _BATCH:
                    total += self._store_all(waiting, preview.path.name)
                    waiting, done = [], 0
                    await _breathe(progress, total.messages + total.texts + total.known)
                else:
                    await asyncio.sleep(0)  # screens stay live while it is read
            return total + self._store_all(waiting, preview.path.name)

    def _store_all(self, entries: list[Entry], origin: str) -> ImportCounts:
        texts = [entry for entry in entries if isinstance(entry, ImportedText)]
        for entry in entries:
            if isinstance(entry, VetoedPhrase):
                self._store.feedback.veto_phrase(entry.phrase)
        conversations = [entry for entry in entries if isinstance(entry, ParsedConversation)]
        added = self._store.transfer.add(conversations) if conversations else ImportCounts()
        return added + self._store.writing.add_many(texts, origin) if texts else added

    def _entries(self, path: Path, file_format: str | None, me: Collection[str]) -> Iterator[Entry]:
        from storage.importers import read_entries  # with the parsers of HTML and mail it takes a moment to load

        return read_entries(path, ReadOptions(self._scratch(), frozenset(me)), file_format)

    def _scratch(self) -> Path:
        try:
            return scratch_folder(self._paths.cache)
        except OSError as error:
            raise ImportFileError(f"{self._paths.cache}: cannot be written ({error.strerror or error})") from error

    def _senders(self, path: Path, file_format: str | None) -> Counter[str]:
        from storage.importers import senders

        return senders(path, ReadOptions(self._scratch()), file_format)


def formats() -> list[str]:
    """The formats that a file can be said to have."""
    from storage.importers import FORMATS

    return list(FORMATS)


@contextmanager
def _import_errors() -> Iterator[None]:
    with storage_errors_reported():
        try:
            yield
        except InvalidImportError as error:
            raise ImportFileError(str(error)) from error


async def _breathe(progress: Progress | None, done: int) -> None:
    """Let ctrl+c through, and tell how far it is."""
    if progress is not None:
        progress(done)
    await asyncio.sleep(0)
