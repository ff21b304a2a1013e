"""People to measure on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from steering.calibration.split import MIN_ITEMS
from steering.items import PreferenceItem


@dataclass(frozen=True, slots=True)
class Person:
    """What the assistant may know of somebody, and the texts it is measured on, oldest first."""

    user_id: str
    history: tuple[PreferenceItem, ...]
    test: tuple[PreferenceItem, ...]

    @property
    def usable(self) -> bool:
        """Whether there is enough to learn from (MIN_ITEMS texts) and something to measure on."""
        return len(self.history) >= MIN_ITEMS and bool(self.test)


def draw(people: Sequence[Person], count: int, seed: int) -> list[Person]:
    """`count` people in random order."""
    shuffled = list(people)
    random.Random(seed).shuffle(shuffled)
    return shuffled[:count]
