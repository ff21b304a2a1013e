"""Whether to offer a rebuild: what is new, what the person put off, and what was tried without being asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from assistant.profile.news import News
from assistant.profile.preferences import is_too_short, said_once
from assistant.profile.version import IMPORTED
from assistant.records import PreferenceItem, Source
from assistant.reporting import reports_storage_errors
from steering.own_text import own_text
from storage.errors import NotFoundError, StorageError
from storage.private_output import private_output
from storage.store import Store

Noted = Literal["put off", "tried"]
TEXTS_AT_ONCE = 20
"""Read and looked through in a few milliseconds; then others have their turn."""


@reports_storage_errors
class RebuildOffer:
    """Of one home; what it notes is a small file in the cache, without which it only offers once more."""

    def __init__(self, store: Store, notes: Path) -> None:
        self._store = store
        self._notes = notes
        self._marks: dict[str, tuple[int, str]] = {}
        self._known: tuple[int | None, frozenset[str], frozenset[str]] = (None, frozenset(), frozenset())

    async def news(self) -> News:
        """What has changed since the newest version; reads only texts that are new, and each of them once."""
        grown = self._store.growth(IMPORTED)
        learned, phrases = self._of_version(grown.version)
        await self._look_through(item_id for item_id in grown.new if item_id not in self._marks)
        # Of copies, in other spacing or after another request, a rebuild learns from one.
        new = {said for said, mark in map(self._marks.__getitem__, grown.new) if mark and mark not in learned}
        vetoed = phrases & {phrase.casefold() for phrase in self._store.feedback.vetoed_phrases()}
        return News(
            version=grown.version,
            learned=grown.learned,
            new=len(new),
            gone=grown.gone,
            forgotten=grown.stale,
            vetoed=len(vetoed),
        )

    def due(self, news: News) -> bool:
        """Whether there is enough for a rebuild that the person has not put off."""
        return self._due(news, "put off")

    def untried(self, news: News) -> bool:
        """Whether enough has come since the last rebuild that was started without being asked and came to nothing."""
        return self._due(news, "tried")

    def put_off(self, news: News) -> None:
        """Offer none until as much has come once more as makes one worth its time."""
        self._note("put off", news)

    def note_try(self, news: News) -> None:
        """Remember that one is started without being asked, before it is: it might take the program with it."""
        self._note("tried", news)

    def _due(self, news: News, noted: Noted) -> bool:
        note = self._noted().get(noted)
        then = note.get("changes") if isinstance(note, dict) and note.get("version") == news.version else None
        return news.enough and (not isinstance(then, int) or news.changes >= then + news.needed)

    def _noted(self) -> dict[str, Any]:
        try:
            noted = json.loads(self._notes.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return noted if isinstance(noted, dict) else {}

    def _note(self, noted: Noted, news: News) -> None:
        notes = {**self._noted(), noted: {"version": news.version, "changes": news.changes}}
        # Without a note it only offers once more.
        with suppress(StorageError, OSError), private_output(self._notes, force=True) as draft:
            draft.write_text(json.dumps(notes), encoding="utf-8")

    def _of_version(self, version: int | None) -> tuple[frozenset[str], frozenset[str]]:
        """Marks of the texts that it learned from, and its phrases, in small letters."""
        if version is not None and self._known[0] != version:
            record = self._store.profiles.get(version)
            phrases = (phrase["text"].casefold() for phrase in record.outcome.get("phrases", ()))
            self._known = version, frozenset(record.item_hashes.values()), frozenset(phrases)
        return self._known[1:] if self._known[0] == version else (frozenset(), frozenset())

    async def _look_through(self, item_ids: Iterable[str]) -> None:
        for place, item_id in enumerate(item_ids):
            if place % TEXTS_AT_ONCE == 0:
                await asyncio.sleep(0)
            self._marks[item_id] = self._mark(item_id)

    def _mark(self, item_id: str) -> tuple[int, str]:
        """Hash of what it says, and what tells it from others; the latter empty where it would not be learned from."""
        kind, _, number = item_id.partition(":")
        try:
            if kind == "writing":
                writing = self._store.writing.get(int(number))
                item = PreferenceItem(item_id, writing.prompt, own_text(writing.text).text, Source.WRITING, 0)
            else:
                reply = self._store.messages.get(int(number))
                asked = self._store.messages.get(reply.parent_id).text if reply.parent_id else ""
                item = PreferenceItem(item_id, asked, reply.text, Source.CHOSEN, 0)
        except NotFoundError:  # it went meanwhile
            return 0, ""
        return (0, "") if is_too_short(item.text) else (hash(said_once(item)), item.content_hash)
