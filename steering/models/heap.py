"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress


def give_back_memory() -> None:
    """Collect garbage and let go of what is free, where the C library can (glibc).

    Both may be told to wait in a process that computes: after something large and short-lived that is a second model's
    worth of memory.
    """
    gc.collect()
    with suppress(AttributeError, OSError, TypeError):  # another C library, or another system
        ctypes.CDLL(None).malloc_trim(0)
