"""What was learned, and a rebuild that waits to be let on, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from assistant.errors import AssistantError, NoProfileError, RebuildCancelled, RebuildError
from assistant.profile.news import News
from assistant.profile.preferences import LearnableItem
from assistant.profile.vectors import ImportedVector
from assistant.profile.version import Explanation, Profile
from assistant.rebuild.expectation import Expectation
from assistant.rebuild.runner import Progress, RebuildEvent, Rebuilt
from assistant.records import Passage, PreferenceItem, Source, SteeringState, Writing

START = datetime(2026, 3, 14, 9, 26)


class ScriptedProfiles:
    """Versions that a test puts in."""

    def __init__(self) -> None:
        self.versions: list[Profile] = []
        self.explanations: dict[str, Explanation] = {}
        self.steering_state = SteeringState(None, False, 1.0)

    def put(self, profile: Profile) -> None:
        self.versions.insert(0, profile)
        self.use(profile.version)

    def current(self) -> Profile | None:
        return next((one for one in self.versions if one.in_use), None)

    @property
    def known(self) -> bool:
        return bool(self.versions)

    def all(self) -> list[Profile]:
        return list(self.versions)

    def state(self) -> SteeringState:
        return self.steering_state

    def use(self, version: int) -> Profile:
        self.versions = [replace(one, in_use=one.version == version) for one in self.versions]
        current = self.current()
        assert current is not None
        self.steering_state = SteeringState(version, current.outcome.recommended, self.steering_state.strength)
        return current

    def set_enabled(self, enabled: bool) -> None:
        if enabled:
            self._require_current()
        self.steering_state = replace(self.steering_state, enabled=enabled)

    def set_strength(self, strength: float) -> None:
        self._require_current()
        self.steering_state = replace(self.steering_state, strength=strength)

    def _require_current(self) -> None:
        if self.current() is None:
            raise NoProfileError("no profile is in use; run `assistant rebuild`")

    def set_description(self, text: str) -> Profile:
        self.versions = [
            replace(one, description=text, description_edited=True) if one.in_use else one for one in self.versions
        ]
        current = self.current()
        assert current is not None
        return current

    def explain(self, item_id: str) -> Explanation:
        if item_id not in self.explanations:
            raise AssistantError("no profile yet; rebuild your preferences to see what counts here")
        return self.explanations[item_id]

    def export(self, path: Path) -> None:
        raise AssistantError(f"{path}: nothing to export")


class ScriptedPreferences:
    """Items that a test puts in."""

    def __init__(self) -> None:
        self.learnable: list[LearnableItem] = []
        self.vetoes: set[str] = set()
        self.hidden: dict[str, tuple[Passage, ...]] = {}

    def items(self) -> list[LearnableItem]:
        return list(self.learnable)

    def exclude(self, item_id: str) -> None:
        self._set(item_id, excluded=True)

    def include(self, item_id: str) -> None:
        self._set(item_id, excluded=False)

    def claim(self, item_id: str) -> None:
        one = next(one for one in self.learnable if one.item.id == item_id)
        if not one.passages:
            raise AssistantError(f"{item_id}: nothing was pasted into it that is not learned from")
        self.hidden[item_id] = one.passages
        self._set(item_id, passages=(), claimed=True)

    def disclaim(self, item_id: str) -> None:
        self._set(item_id, passages=self.hidden[item_id], claimed=False)

    def _set(self, item_id: str, **fields: object) -> None:
        self.learnable = [replace(one, **fields) if one.item.id == item_id else one for one in self.learnable]  # type: ignore[arg-type]

    def veto_phrase(self, phrase: str) -> None:
        self.vetoes.add(phrase)

    def allow_phrase(self, phrase: str) -> None:
        self.vetoes.discard(phrase)

    def vetoed_phrases(self) -> list[str]:
        return sorted(self.vetoes)

    def add_text(self, text: str, prompt: str = "") -> Writing:
        number = len(self.learnable) + 1
        item = PreferenceItem(f"w{number}", prompt, text, Source.WRITING, float(number))
        self.learnable.append(LearnableItem(item, False, ""))
        return Writing(number, prompt, text, "typed", START)


class ScriptedVectors:
    """Imported vectors that a test puts in; a path that holds "broken" cannot be imported."""

    def __init__(self) -> None:
        self.imported: list[ImportedVector] = []

    def list(self) -> list[ImportedVector]:
        return [*self.imported]

    def add(self, path: Path) -> ImportedVector:
        if "broken" in path.name:
            raise AssistantError(f"{path}: a llama file, not a control vector; choose a control vector in GGUF format")
        blocks = tuple(range(1, 30))
        self.imported.append(ImportedVector(path.stem, "llama", 576, blocks, 1.0, True, START, ""))
        return self.imported[-1]

    def set_strength(self, name: str, strength: float) -> None:
        self._change(name, strength=strength)

    def set_enabled(self, name: str, enabled: bool) -> None:
        self._change(name, enabled=enabled)

    def remove(self, name: str) -> None:
        self.imported = [one for one in self.imported if one.name != name]

    def _change(self, name: str, **fields: object) -> None:
        self.imported = [replace(one, **fields) if one.name == name else one for one in self.imported]  # type: ignore[arg-type]


class ScriptedOffer:
    """News that a test puts in."""

    def __init__(self) -> None:
        self.found = News(None, 0, 0)
        self.hidden: list[News] = []
        self.tried: list[News] = []

    async def news(self) -> News:
        return self.found

    def due(self, news: News) -> bool:
        return news.enough and news not in self.hidden

    def untried(self, news: News) -> bool:
        return news.enough and news not in self.tried

    def put_off(self, news: News) -> None:
        self.hidden.append(news)

    def note_try(self, news: News) -> None:
        self.tried.append(news)


class ScriptedRebuild:
    """Reports `script`, waits for `go`, then ends with `result` or `error`."""

    def __init__(self) -> None:
        self.script: list[Progress] = []
        self.result: Profile | None = None
        self.error = ""
        self.go = asyncio.Event()
        self.running = False
        self.runs = 0
        self._cancelled = False

    async def expectation(self) -> Expectation:
        return Expectation(in_torch=True, convert=True, memory=1_400_000_000, seconds=240.0, guessed=True)

    async def run(self, *, force: bool = False) -> AsyncIterator[RebuildEvent]:
        self.running, self._cancelled = True, False
        self.runs += 1
        try:
            for progress in self.script:
                yield progress
            await self.go.wait()
            if self._cancelled:
                raise RebuildCancelled("cancelled; what was scored is kept")
            if self.error or self.result is None:
                raise RebuildError(self.error or "no result")
            yield Rebuilt(self.result, unchanged=False)
        finally:
            self.running = False

    def cancel(self) -> None:
        self._cancelled = True
        self.go.set()
