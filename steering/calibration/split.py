"""Which items make, choose and judge a vector: split by age, so that nothing is judged by what made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from steering.errors import TooFewItemsError
from steering.items import CONTRASTIVE_SOURCES, OWN_WORDS, PreferenceItem

MIN_ITEMS = 4
"""Below this there is nothing to hold back."""
ENOUGH_ITEMS = 8
"""Below this a profile is made and shown, but not switched on by itself."""
MAX_TUNE, MAX_HELD_BACK = 8, 24
"""More items would hardly choose or judge better, and each is read a dozen times; the vector learns from the rest."""


@dataclass(frozen=True, slots=True)
class Split:
    """Items a vector may learn from, oldest first, and their parts.

    Attributes:
        learnable: all of them; the shipped vector is made from these.
        measurable: those in the person's own words: a liked reply is likely already, so it would say nothing of the
            gain. All of them where there are fewer than MIN_ITEMS of these.
        fit: what makes the vectors that are tuned: the oldest, and what is not measurable.
        tune: the next (MAX_TUNE at most), which choose method, block, dose and form.
        held_back: the newest quarter of the measurable (MAX_HELD_BACK at most), on which the gain is measured.
    """

    learnable: tuple[PreferenceItem, ...]
    measurable: tuple[PreferenceItem, ...]
    fit: tuple[PreferenceItem, ...]
    tune: tuple[PreferenceItem, ...]
    held_back: tuple[PreferenceItem, ...]

    @property
    def development(self) -> tuple[PreferenceItem, ...]:
        """All but the held-back items."""
        return self.fit + self.tune


def split_items(items: Sequence[PreferenceItem]) -> Split:
    """Split by age: about half to fit, a quarter to tune, a quarter held back; item ids differ.

    Raises: TooFewItemsError: fewer than MIN_ITEMS items that a vector may learn from.
    """
    usable = [item for item in items if item.source in CONTRASTIVE_SOURCES and item.text.strip()]
    learnable = tuple(sorted(usable, key=lambda item: (item.order, item.id)))
    if len(learnable) < MIN_ITEMS:
        raise TooFewItemsError(
            f"{len(learnable)} texts to learn from, at least {MIN_ITEMS} are needed ({ENOUGH_ITEMS} are better): "
            "import texts of your own, or rate and edit replies"
        )
    own = tuple(item for item in learnable if item.source in OWN_WORDS)
    measurable = own if len(own) >= MIN_ITEMS else learnable
    quarter = max(1, round(len(measurable) / 4))
    judging, choosing = min(quarter, MAX_HELD_BACK), min(quarter, MAX_TUNE)
    held_back = measurable[-judging:]
    tune = measurable[-judging - choosing : -judging]
    kept_apart = {item.id for item in (*tune, *held_back)}
    fit = tuple(item for item in learnable if item.id not in kept_apart)
    return Split(learnable, measurable, fit, tune, held_back)


def for_phrases_only(items: Sequence[PreferenceItem], split: Split) -> list[PreferenceItem]:
    """Items that no vector learns from, without copies of those that choose and judge: these must not be known."""
    judging = {item.said for item in (*split.tune, *split.held_back)}
    learnable = {item.id for item in split.learnable}
    return [item for item in items if item.id not in learnable and item.said not in judging]
