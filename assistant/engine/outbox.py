"""Events on their way to the app: the text of a fast reply goes together, so that the app wakes less often."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import BinaryIO

from assistant.channel import encode
from assistant.engine.protocol import Event, Piece, Thought

TOGETHER_SECONDS = 0.025
"""Text that comes this soon after other text waits for the next; a screen draws no faster.

Every time the app wakes it takes a core from the threads that compute, and all of them wait.
"""


class Outbox:
    """Writes events to a stream, one JSON object a line; may be called from any thread."""

    def __init__(self, stream: BinaryIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._lock = threading.Lock()
        self._waiting: list[Event] = []
        self._written = clock() - TOGETHER_SECONDS

    def put(self, event: Event) -> None:
        """Write an event, after what waits; text may wait for the event that follows."""
        with self._lock:
            before = self._waiting[-1] if self._waiting else None
            if joined := _joined(before, event):
                self._waiting[-1] = joined
            else:
                self._waiting.append(event)
            now = self._clock()
            if isinstance(event, Piece | Thought) and now - self._written < TOGETHER_SECONDS:
                return
            self._written = now
            self._stream.write(b"".join(map(encode, self._waiting)))
            self._waiting.clear()
            self._stream.flush()


def _joined(before: Event | None, event: Event) -> Event | None:
    """Two texts of one side as one event; None where they are not of a kind."""
    match before, event:
        case (Piece(), Piece()) if before.side == event.side:
            return Piece(before.text + event.text, event.side, (*before.tokens, *event.tokens))
        case (Thought(), Thought()) if before.side == event.side:
            return Thought(before.text + event.text, event.side)
        case _:
            return None
