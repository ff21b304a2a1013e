"""The model of the moment in the engine: loaded as measured before, not again by itself after a crash, steered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from assistant.engine.process import Engine, OnLoading
from assistant.engine.protocol import Load, Loaded, Steer
from assistant.engine.tunings import Tunings
from assistant.errors import EngineError
from assistant.models.active import ActiveModel
from assistant.models.attempts import LoadAttempts
from assistant.paths import Paths
from assistant.profile.steering import UNSTEERED
from assistant.settings import Settings


class ModelLoader:
    """Keeps one engine at what the settings ask for."""

    def __init__(self, engine: Engine, model: ActiveModel, paths: Paths, settings: Callable[[], Settings]) -> None:
        self._engine, self._model, self._settings = engine, model, settings
        self._tunings = Tunings(paths.tunings)
        self._attempts = LoadAttempts(paths.cache)
        self._starting = asyncio.Lock()
        self._wanted: Load | None = None
        self._in_force = UNSTEERED
        self.loaded: Loaded | None = None

    async def start(self, *, by_itself: bool = False, on_loading: OnLoading | None = None) -> Loaded:
        """Start the engine and load the model, if that is not done yet; `on_loading` is told how far it is.

        Raises: AssistantError: no model, a broken model, a crash while loading; or, where nobody asked for it
            (`by_itself`), a crash when it was last loaded.
        """
        async with self._starting:
            settings = self._settings().model
            wanted = Load(str(self._model.path()), settings.context_tokens, settings.threads or None)
            if self.loaded is None or self._engine.loaded is None or self._wanted != wanted:
                await self._load(wanted, by_itself, on_loading)
            assert self.loaded is not None, "it has just been loaded"
            return self.loaded

    async def steer(self, wanted: Steer) -> None:
        """Put a control vector in force, unless it is already.

        Raises: EngineError: see `Engine.steer`.
        """
        if wanted != self._in_force:
            await self._engine.steer(wanted)
            self._in_force = wanted

    async def _load(self, wanted: Load, by_itself: bool, on_loading: OnLoading | None) -> None:
        self.loaded = None
        fingerprint = self._model.fingerprint()
        if by_itself and self._attempts.crashed(fingerprint):
            raise EngineError(
                f"{self._model.path().name}: the program died when this model was last loaded, so it is not loaded by "
                "itself; send a message to try again, or choose another model in the settings"
            )
        known = self._tunings.get(fingerprint, wanted.threads)
        with self._attempts.noted(fingerprint):
            loaded = await self._engine.load(replace(wanted, tuning=known), on_loading)
        if loaded.measured:
            self._tunings.put(fingerprint, wanted.threads, loaded.tuning)
        self._wanted, self.loaded, self._in_force = wanted, loaded, UNSTEERED
