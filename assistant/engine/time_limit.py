"""A limit on how long Python code of others may compute: a chat template is a program that came with a model."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_AGAIN_SECONDS = 0.25


class TooLongError(Exception):
    """The time was over."""


class _Over(BaseException):  # no code of others that catches every Exception may catch it
    """The time is over."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Run a block of pure Python code for so long; native calls in it are not cut short.

    Raises: TooLongError: the time was over before the block was.
    """
    lock, over = threading.Lock(), threading.Event()
    thread = ctypes.c_ulong(threading.get_ident())

    def watch() -> None:
        left = seconds
        while not over.wait(left):
            with lock:
                if not over.is_set():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(_Over))
            left = _AGAIN_SECONDS  # a callback of the interpreter's may have swallowed it

    watching = threading.Thread(target=watch, daemon=True)
    try:
        watching.start()
        try:
            yield
        finally:
            with lock:
                over.set()
            for _ in range(3):
                pass  # one that was sent arrives here, where a loop begins again, and not in other people's code
    except _Over:
        raise TooLongError(f"it took more than {seconds:.0f} s") from None
    finally:
        over.set()
