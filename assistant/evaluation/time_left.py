"""How far a run is, and about how long the rest of it takes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from assistant.evaluation.protocol import Begun


@dataclass(frozen=True, slots=True)
class Progress:
    """What has begun, how many of the results to come are there, and about how many seconds are left."""

    user_id: str
    stage: str
    done: int
    total: int
    seconds_left: float | None


class TimeLeft:
    """From the mean time of what was measured in this run; a method has its own once it was measured."""

    def __init__(self, to_come: Iterable[tuple[str, str]]) -> None:
        """`to_come` are user ids and methods."""
        self._left = set(to_come)
        self.total = len(self._left)
        self._took: dict[str, list[float]] = {}
        self._since = time.monotonic()

    def begin(self, message: Begun) -> Progress:
        """Where the run is now."""
        known = [seconds for took in self._took.values() for seconds in took]
        mean = sum(known) / len(known) if known else 0.0
        left = sum(sum(t) / len(t) if (t := self._took.get(name)) else mean for _, name in self._left)
        done = self.total - len(self._left)
        return Progress(message.user_id, message.stage, done, self.total, left if known else None)

    def restart(self) -> None:
        """What took its time until now belongs to no method."""
        self._since = time.monotonic()

    def end(self, user_id: str, name: str) -> None:
        """A result is there."""
        now = time.monotonic()
        self._took.setdefault(name, []).append(now - self._since)
        self._since = now
        self._left.discard((user_id, name))
