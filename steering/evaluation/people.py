"""People to measure on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from steering.items import PreferenceItem


@dataclass(frozen=True, slots=True)
class Person:
    """What the assistant may know of somebody, and the texts it is measured on, oldest first."""

    user_id: str
    history: tuple[PreferenceItem, ...]
    test: tuple[PreferenceItem, ...]


def draw(people: Sequence[Person], count: int, seed: int) -> list[Person]:
    """`count` people in random order."""
    shuffled = list(people)
    random.Random(seed).shuffle(shuffled)
    return shuffled[:count]
