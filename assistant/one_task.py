"""The inside of a child process that carries out one request: see `assistant.child` for the outside."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from assistant.channel import Decoder, encode
from assistant.errors import AssistantError
from assistant.no_core_dump import forbid_core_dumps
from assistant.no_network import forbid_network

RequestT = TypeVar("RequestT")
Emit = Callable[[Any], None]
"""Writes one event."""
NICENESS = 10
NO_MEMORY = "out of memory; close other programs, or choose a smaller model"
AUTOGROUP = Path("/proc/self/autogroup")


def take_streams() -> BinaryIO:
    """Where events go, from now on and nothing else; ctrl+c is the app's, files are the user's only, no dumps."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)  # libraries write files too
    events = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints on "stdout" must not land between events
    forbid_core_dumps()
    return events


def read_request(kinds: Iterable[type[RequestT]]) -> RequestT:
    """The request on stdin; from here on the process ends at once when stdin closes, that is when the app is gone."""
    request = Decoder[RequestT](kinds).decode(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_app, daemon=True).start()
    return request


def _end_with_the_app() -> None:
    # Not through sys.stdin, whose lock would abort a process that ends with a traceback.
    while os.read(0, 4096):
        pass
    os._exit(0)  # the main thread may be deep in native code


def give_way() -> None:
    """Let whatever else runs come first, chatting above all.

    On Linux a session of its own, as this process has, is scheduled as one group: beside other sessions only the
    group's niceness counts (sched(7), autogroup).
    """
    os.nice(NICENESS)
    with suppress(OSError):  # another system, or a kernel without it
        AUTOGROUP.write_text(str(NICENESS), encoding="ascii")


def learn(
    kinds: Iterable[type[RequestT]], work: Callable[[RequestT, Emit], object], failed: Callable[[str], object]
) -> None:
    """Carry out a request that needs torch: `work` returns the last event; what a person can act on is `failed`.

    The collector is off until `work` has loaded its model and switches it on: nothing of what the heavy imports create
    is garbage.
    """
    gc.disable()
    events = take_streams()
    give_way()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
    forbid_network(logging.warning)

    def emit(message: object) -> None:
        events.write(encode(message))
        events.flush()

    request = read_request(kinds)
    # Imported late: the line above must already be read when torch takes its seconds.
    from steering.errors import SteeringError

    try:
        emit(work(request, emit))
    except (AssistantError, SteeringError) as error:
        emit(failed(str(error)))
    except MemoryError:
        emit(failed(NO_MEMORY))
    except RuntimeError as error:
        from steering.models.heap import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        emit(failed(NO_MEMORY))
