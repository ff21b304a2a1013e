"""Another model beside the one in use, in an engine of its own, to hold replies against each other."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from assistant.conversation.answering import AnswerEvent, Answering, ReplyOptions
from assistant.conversation.loading import ModelLoader
from assistant.conversation.reply import ReplyFinished
from assistant.engine.process import Engine
from assistant.models.active import ActiveModel
from assistant.paths import Paths
from assistant.profile.profiles import Profiles
from assistant.profile.vectors import Vectors
from assistant.records import Message, Piece, Prefill, Thought
from assistant.settings import Settings
from storage.store import Store

SIDE = 1


class Reference:
    """At most one other model at a time; its memory is given back when it is closed."""

    def __init__(
        self, store: Store, paths: Paths, profiles: Profiles, vectors: Vectors, settings: Callable[[], Settings]
    ) -> None:
        self._store, self._paths, self._settings = store, paths, settings
        self._profiles, self._vectors = profiles, vectors
        self._engine: Engine | None = None

    def check(self, model: str) -> None:
        """Look at the other model's file before anything is said or stored.

        Raises: ModelError: there is no such model, or it cannot be used.
        """
        ActiveModel(lambda: model, self._paths).header()

    async def answer(self, asked: Message, model: str) -> AsyncGenerator[AnswerEvent]:
        """Stream a reply of another model, as it is; its events are those of side 1.

        Raises: AssistantError: there is no such model, or it cannot answer; what came is kept.
        """
        engine = self._engine = Engine(self._paths.engine_log)
        other = ActiveModel(lambda: model, self._paths)
        loader = ModelLoader(engine, other, self._paths, self._settings)
        answering = Answering(self._store, engine, loader, self._profiles, self._vectors, other, self._settings)
        try:
            async with aclosing(answering.answer(asked, ReplyOptions(strength=0.0))) as events:
                async for event in events:
                    yield _on_its_side(event)
        finally:
            await self.close()

    async def stop(self) -> None:
        """Stop the reply that is streaming; what came is kept."""
        if self._engine:
            await self._engine.stop()

    async def close(self) -> None:
        """End the engine process."""
        if self._engine:
            await self._engine.close()
            self._engine = None


def _on_its_side(event: AnswerEvent) -> AnswerEvent:
    if isinstance(event, Prefill | Thought | Piece):
        return replace(event, side=SIDE)
    return replace(event, stats=replace(event.stats, side=SIDE)) if isinstance(event, ReplyFinished) else event
