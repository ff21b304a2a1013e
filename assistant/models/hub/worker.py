"""The download process: one request on stdin, events on stdout, one JSON object a line.

It alone holds huggingface_hub. It ends at once when stdin closes: that is pause and cancel, and also what happens when
the app is gone. What came stays in a part file and is not asked for again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from assistant.channel import encode
from assistant.errors import AssistantError
from assistant.models.hub.protocol import Arrived, Fetch, FetchFailed, FetchMessage, Waiting
from assistant.one_task import read_request, take_streams

TICK_SECONDS = 0.25

Emit = Callable[[FetchMessage], None]


def main() -> None:
    """Carry out the one request."""
    events = take_streams()
    lock = threading.Lock()

    def emit(message: FetchMessage) -> None:
        with lock:
            events.write(encode(message))
            events.flush()

    request = read_request((Fetch,))
    logging.getLogger("huggingface_hub").addHandler(_Retries(emit))
    # Imported late: it takes its time, and the app waits for the line above to be read.
    from assistant.models.hub.transfer import fetch

    try:
        emit(fetch(request, emit, lambda parts: _ticking(parts, emit)))
    except AssistantError as error:
        emit(FetchFailed(str(error)))


class _Retries(logging.Handler):
    """The library says in its log alone that it waits and tries again. Its words hold signed addresses: not shown."""

    def __init__(self, emit: Emit) -> None:
        super().__init__(logging.WARNING)
        self._emit = emit

    def emit(self, record: logging.LogRecord) -> None:
        self._emit(Waiting())


@contextmanager
def _ticking(parts: list[Path], emit: Emit) -> Iterator[None]:
    """Say how much is here for as long as the block runs."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(TICK_SECONDS):
            emit(Arrived(sum(map(_size, parts))))

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        over.set()
        ticker.join()


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


if __name__ == "__main__":
    main()
