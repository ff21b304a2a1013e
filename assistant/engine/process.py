"""The engine for the app: an async API over a child process that may die and comes back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from pathlib import Path

from assistant.child import Child
from assistant.engine.protocol import (
    Beat,
    Event,
    Failed,
    Finished,
    Generate,
    Load,
    Loaded,
    Loading,
    Piece,
    Prefill,
    Request,
    Steer,
    Steered,
    Stop,
    Thought,
)
from assistant.errors import EngineDied, EngineError

STOP_SECONDS = 10.0
AGAIN = "try again, it restarts by itself"
HANG_SECONDS = 15.0
"""A working engine says every second that it lives; after this long a silent one is taken for hung, and ended.

Before it speaks for the first time that it works is enough.
"""
MODULE = "assistant.engine.worker"
ENVIRONMENT = {"GOMP_SPINCOUNT": "10000"}
"""A thread that waits for another gives its core away soon: beside other work the default is ten times slower."""
EVENTS: tuple[type[Event], ...] = (Beat, Loading, Loaded, Steered, Prefill, Piece, Thought, Finished, Failed)

ReplyEvent = Prefill | Piece | Thought | Finished
OnLoading = Callable[[float], None]
"""Told the share of a model that has been read, 0 to 1."""


class Engine:
    """One engine process with one model and one control vector; one request at a time.

    When the process dies, the call that was under way raises EngineError, and the next one starts it again
    with the model and the vector that were last in force.
    """

    def __init__(self, log_path: Path) -> None:
        self._log_path = log_path
        self._lock = asyncio.Lock()
        self._child: Child[Event] | None = None
        self._generating = False
        self._closed = False
        self._load: Load | None = None
        self._steer: Steer | None = None
        self._restored: Child[Event] | None = None
        self._last_resort: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the engine, None where it does not run."""
        return self._child.pid if self._child and self._child.alive else None

    @property
    def loaded(self) -> Load | None:
        """The model that answers, or will once the process is up again; None where none was loaded."""
        return self._load

    async def start(self) -> None:
        """Start the process, so that it is ready sooner; every other call does it too.

        Raises: EngineError: it cannot be started.
        """
        async with self._lock:
            await self._started()

    async def load(self, request: Load, on_loading: OnLoading | None = None) -> Loaded:
        """Load a model in place of the one before; no control vector is in force then.

        Raises: EngineError: the file cannot be used, there is no memory for it, or the engine died on it. A
            model that failed is not loaded again by itself.
        """
        async with self._lock:
            self._load = self._steer = None
            loaded = await self._ask(await self._started(), request, on_loading)
            if not isinstance(loaded, Loaded):
                raise _unexpected(loaded)
            self._restored = self._child
            # Restarted after a crash it must not measure again, and must compute as before.
            self._load = replace(request, tuning=loaded.tuning)
            return loaded

    async def steer(self, request: Steer) -> Steered:
        """Put a control vector in force, or none; the next token obeys.

        Raises: EngineError: the file cannot be used with this model (the vector before stays), or the engine
        died.
        """
        async with self._lock:
            # Restarted after a crash it need not take up the vector before, whose file may be gone.
            child = await self._ready(steered=False)
            steered = await self._ask(child, request)
            if not isinstance(steered, Steered):
                raise _unexpected(steered)
            self._steer, self._restored = request, child
            return steered

    async def generate(self, request: Generate) -> AsyncGenerator[ReplyEvent]:
        """Stream a reply; the last event of each side is `Finished`. Closing or cancelling the iterator stops it.

        Raises: EngineError: no model, a conversation that cannot be answered, or the engine died or hung.
        """
        async with self._lock:
            child = await self._ready()
            running = 2 if request.plain_turns else 1
            try:
                await self._send(child, request)
                self._generating = True
                while running:
                    event = await self._receive(child)
                    if isinstance(event, Finished | Failed):
                        running = 0 if isinstance(event, Failed) else running - 1
                    yield _of_reply(event)
            finally:
                self._generating = False
                if self._last_resort:
                    self._last_resort.cancel()
                    self._last_resort = None
                if running:
                    await self._quieten(child, running)

    async def stop(self) -> None:
        """End the reply that is being generated, with reason `stopped`; without one nothing happens.

        An engine that does not obey within `STOP_SECONDS` is ended; what came is kept.
        """
        child = self._child
        if self._generating and child and child.alive:
            # Before anything is waited for: the reply may end meanwhile, and takes this back.
            if self._last_resort is None:
                self._last_resort = asyncio.get_running_loop().call_later(STOP_SECONDS, child.kill)
            await child.send(Stop())

    async def close(self) -> None:
        """End the process, also in the middle of a reply; the engine cannot be used afterwards."""
        self._closed = True
        if self._child:
            await self._child.close()

    async def _started(self) -> Child[Event]:
        if self._closed:
            raise EngineError("the engine was closed")
        if self._child is None or not self._child.alive:
            self._child = await Child.spawn(MODULE, EVENTS, "the engine", self._log_path, ENVIRONMENT)
        return self._child

    async def _ready(self, *, steered: bool = True) -> Child[Event]:
        """A running child with the last model and, if `steered`, the last vector in force."""
        child = await self._started()
        if child is not self._restored:
            if self._load:
                await self._ask(child, self._load)
            if steered and self._steer:
                await self._ask(child, self._steer)
            self._restored = child if steered else None
        return child

    async def _ask(self, child: Child[Event], request: Request, on_loading: OnLoading | None = None) -> Event:
        answered = False
        try:
            await self._send(child, request)
            while isinstance(event := await self._receive(child), Loading):
                if on_loading:
                    on_loading(event.share)
            answered = True
        finally:
            if not answered:
                child.kill()  # its answer would be taken for that of the next request
        if isinstance(event, Failed):
            raise EngineError(event.message)
        return event

    async def _send(self, child: Child[Event], request: Request) -> None:
        """Raises: EngineDied: the engine has died, or takes nothing: then it is ended."""
        try:
            async with asyncio.timeout(HANG_SECONDS):
                await child.send(request)
        except TimeoutError:
            raise _hung(child) from None

    async def _receive(self, child: Child[Event]) -> Event:
        """The next event that says something; beats only say that the engine lives.

        Raises: EngineError: the engine has died, or hangs: then it is ended.
        """
        silent = 0
        while True:
            try:
                async with asyncio.timeout(HANG_SECONDS / 2):
                    event = await child.receive()
            except TimeoutError:
                silent = 0 if child.still_starting() else silent + 1
                # One silence may be the app's own: it was stopped, or the machine slept.
                if silent == 2:
                    raise _hung(child) from None
                continue
            except EngineError:
                if self._closed:
                    raise EngineError("the engine was closed") from None
                raise
            if not isinstance(event, Beat):
                return event
            silent = 0

    async def _quieten(self, child: Child[Event], running: int) -> None:
        """Stop a reply that nobody reads any more and swallow the rest of it."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await child.send(Stop())
                while running:
                    event = await child.receive()
                    if isinstance(event, Finished | Failed):
                        running = 0 if isinstance(event, Failed) else running - 1
        except (EngineError, TimeoutError):
            pass  # the next call starts a new one
        finally:
            if running:
                child.kill()


def _hung(child: Child[Event]) -> EngineDied:
    child.kill()
    return EngineDied(f"the engine hung for {HANG_SECONDS:.0f} s and was ended; {AGAIN}")


def _of_reply(event: Event) -> ReplyEvent:
    if isinstance(event, Failed):
        raise EngineError(event.message)
    if not isinstance(event, Prefill | Piece | Thought | Finished):
        raise _unexpected(event)
    return event


def _unexpected(event: Event) -> EngineError:
    return EngineError(f"the engine answered with {type(event).__name__} out of turn; try again")
