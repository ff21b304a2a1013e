"""Where a rebuild is and how long it will still take, from what its stages took the last time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from assistant.rebuild.protocol import StageProgress
from steering.progress import STAGES

TYPICAL_SECONDS = {
    "model": 21.0,
    "effects": 21.0,
    "replies": 45.0,
    "description": 8.0,
    "calibration": 62.0,
    "vector": 44.0,
    "check": 110.0,
    "held-back": 48.0,
}
"""Used for the first rebuild: in the proportions seen with the bundled model and 16 texts on 2 slow cores. The sum is
that of quicker ones, as only slowness is noticed on the way."""
EARLY_SHARE = 0.05
"""Below this share of the work an estimate would jump about."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a rebuild is: stage `stage_number` of `stages` (1-based), `done` of `total` units in it.

    `seconds_left` is an estimate for the whole rebuild; None while there is nothing to estimate from.
    """

    stage: str
    stage_number: int
    stages: int
    done: int
    total: int
    seconds: float
    seconds_left: float | None


class TimeLeft:
    """Turns the child's messages into progress with a time left."""

    def __init__(self, expected: Mapping[str, float]) -> None:
        """`expected` are the seconds that each stage will take."""
        self._expected = {stage: max(0.1, expected[stage]) for stage in STAGES}
        self._started = time.monotonic()

    def progress(self, message: StageProgress) -> Progress:
        """Where the rebuild is now."""
        place = STAGES.index(message.stage)
        whole = sum(self._expected.values())
        before = sum(self._expected[stage] for stage in STAGES[:place])
        done = before + self._expected[message.stage] * message.done / max(1, message.total)
        seconds = time.monotonic() - self._started
        # What came from a cache was quick, but says nothing about the stages to come: never faster than expected.
        left = (whole - done) * max(1.0, seconds / done) if done / whole >= EARLY_SHARE else None
        return Progress(message.stage, place + 1, len(STAGES), message.done, message.total, seconds, left)
