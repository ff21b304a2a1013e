"""Memory: given back to the system once it was freed, and the errors that say that there is none."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

import torch

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""How torch says it on CUDA and MPS, and on a CPU of Linux or macOS, and of Windows."""


def give_back_memory() -> None:
    """Collect garbage and let go of what is free, where the C library can (glibc).

    Both may be told to wait in a process that computes: after something large and short-lived that is a second model's
    worth of memory.
    """
    gc.collect()
    with suppress(AttributeError, OSError, TypeError):  # another C library, or another system
        ctypes.CDLL(None).malloc_trim(0)


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out: torch has a type of its own for it on CUDA only."""
    of_torch = isinstance(error, RuntimeError) and any(said in str(error) for said in _NO_MEMORY)
    return isinstance(error, torch.OutOfMemoryError) or of_torch
