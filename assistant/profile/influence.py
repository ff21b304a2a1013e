"""Which texts moved a profile's vector most, as the person knows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from assistant.profile.preferences import LearnableItem
from assistant.records import Outcome, Source

STANDS_OUT = 2.0
"""Times the mean from which a text is pointed out."""


@dataclass(frozen=True, slots=True)
class Influential:
    """A text and what it did to the vector.

    Attributes:
        share: of what all texts moved, 0 to 1.
        times_mean: the same relative to the mean of the texts that moved it: 1 where all are equal.
        excluded: the person has taken it out since; the next rebuild goes without it.
    """

    item_id: str
    source: Source
    text: str
    share: float
    times_mean: float
    excluded: bool

    @property
    def stands_out(self) -> bool:
        """Whether it moved the vector far more than the others."""
        return self.times_mean >= STANDS_OUT


def influential(outcome: Outcome, items: Iterable[LearnableItem]) -> list[Influential]:
    """The texts that moved the vector, the most first; those that are gone from the history are left out."""
    known = {one.item.id: one for one in items}
    count = len(outcome.influence)
    return [
        Influential(moved.item_id, one.item.source, one.item.text, moved.share, moved.share * count, one.excluded)
        for moved in outcome.influence
        if (one := known.get(moved.item_id))
    ]
