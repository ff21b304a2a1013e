"""What the machine offers the engine."""

from __future__ import annotations

import os
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")


def physical_cores() -> int:
    """Processor cores this process may use, two threads of one core counted once; at least 1."""
    return max(len({_core(cpu) for cpu in _usable()}), 1)


def logical_cores() -> int:
    """Hardware threads this process may use; at least 1."""
    return max(len(_usable()), 1)


def _usable() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def _core(cpu: int) -> str:
    try:
        return (_CPUS / f"cpu{cpu}/topology/thread_siblings_list").read_text(encoding="ascii")
    except OSError:
        return str(cpu)
