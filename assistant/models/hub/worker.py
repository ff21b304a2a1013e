"""The download process: one request on stdin, events on stdout, one JSON object a line.

It alone holds huggingface_hub. It ends at once when stdin closes: that is pause and cancel, and also what happens when
the app is gone. What came stays in a part file and is not asked for again.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from assistant.channel import Decoder, encode
from assistant.errors import AssistantError
from assistant.models.hub.protocol import Arrived, Fetch, FetchFailed, FetchMessage, Waiting

TICK_SECONDS = 0.25

Emit = Callable[[FetchMessage], None]


def main() -> None:
    """Carry out the one request."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    events = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not land between events
    lock = threading.Lock()

    def emit(message: FetchMessage) -> None:
        with lock:
            events.write(encode(message))
            events.flush()

    request = Decoder[Fetch]((Fetch,)).decode(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_app, daemon=True).start()
    logging.getLogger("huggingface_hub").addHandler(_Retries(emit))
    # Imported late: it takes its time, and the app waits for the line above to be read.
    from assistant.models.hub.transfer import fetch

    try:
        emit(fetch(request, emit, lambda parts: _ticking(parts, emit)))
    except AssistantError as error:
        emit(FetchFailed(str(error)))


def _end_with_the_app() -> None:
    # Not through sys.stdin, whose lock would abort a process that ends with a traceback.
    while os.read(0, 4096):
        pass
    os._exit(0)


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
