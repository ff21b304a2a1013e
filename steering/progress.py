"""Which stage a rebuild is in, how far it has come, and what each stage took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STAGES = ("model", "effects", "replies", "description", "calibration", "vector", "check", "held-back")
"""In the order they run."""

OnProgress = Callable[[str, int, int], None]
"""Gets the stage and `done` of `total` units in it."""


class StageClock:
    """Reports progress and keeps the seconds of every stage."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, total: int = 1) -> Iterator[Callable[[int], None]]:
        """Run a stage; the caller reports how many of `total` units are done."""
        self._on_progress(name, 0, total)
        started = time.monotonic()
        yield lambda done: self._on_progress(name, done, total)
        self.seconds[name] = round(time.monotonic() - started, 3)
        self._on_progress(name, total, total)
