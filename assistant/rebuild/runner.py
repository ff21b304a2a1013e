"""Starts the rebuild process, keeps what it scores, and turns its end into a new profile version."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import asdict, dataclass

import psutil

from assistant.child import Child
from assistant.conversation.sampling import sampling_in_use
from assistant.errors import EngineError, RebuildCancelled, RebuildError
from assistant.models.active import ActiveModel
from assistant.models.header import count_parameters, read_header
from assistant.paths import Paths
from assistant.profile.preferences import LearnableItem, Preferences
from assistant.profile.profiles import Profiles
from assistant.profile.version import IMPORTED, Profile
from assistant.rebuild.eta import Progress, TimeLeft
from assistant.rebuild.expectation import Expectation, expect, seconds_by_stage
from assistant.rebuild.neutral_cache import NeutralCache
from assistant.rebuild.protocol import Built, Effect, RebuildFailed, RebuildMessage, Scored, StageProgress, Start
from assistant.records import LeftOut, PreferenceItem
from assistant.reporting import reports_storage_errors
from assistant.settings import Settings
from steering.calibration.split import split_items
from steering.errors import TooFewItemsError
from steering.models.choice import Choice
from steering.profile import PIPELINE_VERSION
from storage.records import EffectKey, EffectRecord, ProfileRecord
from storage.store import Store

MODULE = "assistant.rebuild.worker"
EVENTS: tuple[type[RebuildMessage], ...] = (StageProgress, Scored, Built, RebuildFailed)
CHILD_ENVIRONMENT = {
    "GOMP_SPINCOUNT": "10000",
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
}
"""Threads that wait spin for microseconds only, then sleep: as fast alone, a quarter faster beside other work. glibc
keeps freed memory for the next tensor instead of asking the kernel for zeroed pages each time: some percent faster. On
a GPU what torch keeps grows in place and not piece by piece: a process was seen to hold 62 GiB, and the chat needs
memory there, too."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The new version, or the newest one made here where nothing had changed since (`unchanged`)."""

    profile: Profile
    unchanged: bool


RebuildEvent = Progress | Rebuilt

__all__ = ["Progress", "Rebuild", "RebuildEvent", "Rebuilt"]


@reports_storage_errors
class Rebuild:
    """At most one rebuild at a time."""

    def __init__(
        self,
        store: Store,
        paths: Paths,
        preferences: Preferences,
        profiles: Profiles,
        model: ActiveModel,
        settings: Callable[[], Settings],
    ) -> None:
        self._store = store
        self._paths = paths
        self._preferences = preferences
        self._profiles = profiles
        self._model = model
        self._settings = settings
        self._child: Child[RebuildMessage] | None = None
        self._running = False
        self._cancelled = False

    @property
    def running(self) -> bool:
        """Whether a rebuild is under way."""
        return self._running

    async def expectation(self) -> Expectation:
        """What a rebuild would need now; the model file is looked into beside what else goes on.

        Raises: ModelError: there is no model, or it cannot be used.
        """
        last = self._last_seconds(await asyncio.to_thread(self._model.fingerprint))
        choice = self._settings().preferences.estimator
        free = psutil.virtual_memory().available
        return await asyncio.to_thread(expect, self._model, self._paths, last, free, choice)

    async def run(self, *, force: bool = False) -> AsyncGenerator[RebuildEvent]:
        """Rebuild the profile from the items that are used; `force` also where nothing has changed.

        Closing the iterator or calling `cancel` ends the child at once; effects scored so far are kept.

        Raises: RebuildError: too few items, no model, out of memory, a crash; nothing that was there is changed.
        """
        if self._running:
            raise RebuildError("a rebuild is running already")
        self._running, self._cancelled = True, False
        try:
            learnable = self._preferences.items()
            start = self._request(learnable)
            inputs_hash = _inputs_hash(start)
            latest = self._store.profiles.latest(but=IMPORTED)
            unchanged = latest and latest.inputs_hash == inputs_hash and not latest.stale
            if latest and unchanged and not force and not await self._could_do_better(latest, start):
                yield Rebuilt(self._profiles.get(latest.version), unchanged=True)
                return
            parameters = await asyncio.to_thread(count_parameters, self._model.path())
            timing = TimeLeft(seconds_by_stage(parameters, self._last_seconds(start.fingerprint)))
            self._child = await self._spawn()
            await self._send(start)
            while not isinstance(message := await self._receive(), Built):
                if isinstance(message, Scored):
                    self._store.effects.put_many([_record(effect) for effect in message.effects])
                if isinstance(message, StageProgress):
                    yield timing.progress(message)
            yield Rebuilt(self._keep(message, learnable, start, inputs_hash), unchanged=False)
        finally:
            self._running = False
            if self._child:
                self._child.kill()
                await self._child.close()
                self._child = None

    async def _could_do_better(self, latest: ProfileRecord, start: Start) -> bool:
        """Whether the machine allowed less than the best method, and would allow it now."""
        if start.estimator != Choice.AUTOMATIC or not latest.outcome.get("limitation"):
            return False
        return (await self.expectation()).in_torch

    def _last_seconds(self, fingerprint: str) -> dict[str, float]:
        """What the stages of the last rebuild with a model took; empty where there was none on this machine."""
        own = [record for record in self._store.profiles.list() if record.inputs_hash != IMPORTED]
        made = [record for record in own if record.model_fingerprint == fingerprint]
        newest = max(made, key=lambda record: record.version, default=None)
        return newest.outcome.get("seconds", {}) if newest else {}

    def cancel(self) -> None:
        """End the rebuild that is running; `run` then raises RebuildCancelled."""
        self._cancelled = True
        if self._child:
            self._child.kill()

    async def _spawn(self) -> Child[RebuildMessage]:
        try:
            return await Child.spawn(MODULE, EVENTS, "the rebuild", self._paths.rebuild_log, CHILD_ENVIRONMENT)
        except EngineError as error:
            raise RebuildError(str(error)) from error

    async def _send(self, start: Start) -> None:
        assert self._child is not None, "spawned before"
        if self._cancelled:  # while the child was being started
            raise _cancelled()
        try:
            await self._child.send(start)
        except EngineError as error:
            raise self._ended(error) from error

    async def _receive(self) -> RebuildMessage:
        assert self._child is not None, "spawned before"
        try:
            message = await self._child.receive()
        except EngineError as error:
            raise self._ended(error) from error
        if isinstance(message, RebuildFailed):
            raise RebuildError(message.message)
        return message

    def _ended(self, error: EngineError) -> RebuildError:
        """What the end of the child means."""
        return _cancelled() if self._cancelled else RebuildError(f"{error}; what was scored is kept")

    def _request(self, learnable: Sequence[LearnableItem]) -> Start:
        """What the child works on; checked before anything heavy is started."""
        settings = self._settings()
        used = [found.item for found in learnable if found.used]
        _check_enough(used)
        path = self._model.path()
        read_header(path)
        sampling = sampling_in_use(settings, self._model).as_sampling()
        fingerprint = self._model.fingerprint()
        version = self._profiles.state().version
        # The record as stored: a profile of another program version cannot be shown, but it can be rebuilt.
        current = None if version is None else self._store.profiles.get(version)
        neutral = NeutralCache(self._paths, fingerprint, sampling)
        return Start(
            items=tuple(used),
            cached=tuple(map(_effect, self._store.effects.for_items(item.id for item in used))),
            vetoed_phrases=tuple(self._preferences.vetoed_phrases()),
            description=current.description if current and current.description_edited else None,
            neutral_replies=neutral.read(),
            another_author=neutral.read_author(),
            model_path=str(path),
            fingerprint=fingerprint,
            estimator_cache=str(self._paths.estimators),
            sampling=sampling,
            threads=settings.model.threads or None,
            estimator=settings.preferences.estimator,
        )

    def _keep(self, built: Built, learnable: Sequence[LearnableItem], start: Start, inputs_hash: str) -> Profile:
        """Store the outcome as a new version; it goes into use where it is recommended or nothing else is on."""
        neutral = NeutralCache(self._paths, start.fingerprint, start.sampling)
        neutral.write(built.neutral_replies)
        if built.another_author and built.another_author != start.another_author:
            neutral.write_author(built.another_author)
        used = {item.id for item in start.items}
        left_out = [LeftOut(f.item.id, f.why_left_out) for f in learnable if f.item.id not in used]
        left_out += built.outcome.left_out
        passages = [passage for f in learnable if f.item.id in used for passage in f.passages]
        outcome = asdict(built.outcome) | {
            "left_out": [asdict(one) for one in left_out],
            "passages_left_out": len(passages),
            "words_left_out": sum(passage.words for passage in passages),
        }
        record = self._store.profiles.add(
            model_fingerprint=start.fingerprint,
            inputs_hash=inputs_hash,
            outcome=outcome,
            description=built.outcome.description,
            vector=base64.b64decode(built.vector) or None,
            item_hashes={item.id: item.content_hash for item in start.items},
        )
        if start.description is not None:
            self._store.profiles.set_description(record.version, start.description)
        before = self._profiles.state()
        if built.outcome.recommended:
            self._store.profiles.set_state(version=record.version, enabled=True, strength=1.0)
        elif before.version is None or not before.enabled:
            self._store.profiles.set_state(version=record.version, enabled=False, strength=1.0)
        return self._profiles.get(record.version)


def _cancelled() -> RebuildCancelled:
    return RebuildCancelled("the rebuild was cancelled; what was scored is kept")


def _check_enough(items: Sequence[PreferenceItem]) -> None:
    try:
        split_items(items)
    except TooFewItemsError as error:
        raise RebuildError(str(error)) from error


def _inputs_hash(start: Start) -> str:
    """Hash of all that decides the outcome: items, vetoes, description, model, sampling, program."""
    material = {
        "pipeline": PIPELINE_VERSION,
        "items": [(item.id, item.content_hash, item.source) for item in start.items],
        "vetoed": start.vetoed_phrases,
        "description": start.description,
        "model": start.fingerprint,
        "sampling": asdict(start.sampling),
        "estimator": start.estimator,
    }
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()


def _record(effect: Effect) -> EffectRecord:
    key = EffectKey(effect.item_hash, effect.context_hash, effect.estimator, effect.method)
    return EffectRecord(
        key, effect.item_id, effect.starts, effect.ends, effect.logp_with, effect.logp_without, effect.history
    )


def _effect(record: EffectRecord) -> Effect:
    key = record.key
    return Effect(
        record.item_id,
        key.item_hash,
        key.context_hash,
        key.estimator,
        key.method,
        record.starts,
        record.ends,
        record.logp_with,
        record.logp_without,
        record.history,
    )
