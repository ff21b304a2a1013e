"""Which items make, choose and judge a vector: split by age, so that nothing is judged by what made it.

Texts that answer one request say much the same, so they are on one side: that of the request's oldest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

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
    """Items a vector may learn from, oldest first, and their parts, none of which has a request of another.

    Attributes:
        learnable: all of them; the shipped vector is made from these.
        measurable: those in the person's own words: a liked reply is likely already, so it would say nothing of the
            gain. All of them where there are fewer than MIN_ITEMS of these.
        fit: what makes the vectors that are tuned: the oldest, and what is not measurable but answers no request of
            those that choose and judge.
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

    Where there are too few requests for three parts they are parted.

    Raises: TooFewItemsError: fewer than MIN_ITEMS items that a vector may learn from.
    """
    usable = [item for item in items if item.source in CONTRASTIVE_SOURCES and item.text.strip()]
    learnable = _by_age([usable])
    if len(learnable) < MIN_ITEMS:
        raise TooFewItemsError(
            f"{len(learnable)} texts to learn from, at least {MIN_ITEMS} are needed ({ENOUGH_ITEMS} are better): "
            "import texts of your own, or rate and edit replies"
        )
    own = tuple(item for item in learnable if item.source in OWN_WORDS)
    measurable = own if len(own) >= MIN_ITEMS else learnable
    quarter = max(1, round(len(measurable) / 4))
    judging, choosing = min(quarter, MAX_HELD_BACK), min(quarter, MAX_TUNE)
    countable = {item.id for item in measurable}
    for requests in (_by_request(learnable), [[item] for item in learnable]):
        older, held_back = _newest(requests, countable, judging)
        oldest, tune = _newest(older, countable, choosing)
        if oldest and tune and held_back:
            break
    judged, chosen = (tuple(i for i in _by_age(part) if i.id in countable) for part in (held_back, tune))
    return Split(learnable, measurable, _by_age(oldest), chosen, judged)


def _by_request(items: Sequence[PreferenceItem]) -> list[list[PreferenceItem]]:
    """Those that answer one request together, in the order of the oldest; what nobody asked for by itself."""
    found: dict[tuple[str, str], list[PreferenceItem]] = {}
    for item in items:
        asked = " ".join(item.context.split())
        found.setdefault((asked, "" if asked else item.id), []).append(item)
    return list(found.values())


def _newest(
    requests: Sequence[list[PreferenceItem]], countable: Collection[str], count: int
) -> tuple[list[list[PreferenceItem]], list[list[PreferenceItem]]]:
    """The older requests, and of the newest as many whole ones as have `count` items that count."""
    older: list[list[PreferenceItem]] = []
    newest: list[list[PreferenceItem]] = []
    for request in reversed(requests):
        size = sum(item.id in countable for item in request)
        fits = 0 < size <= count
        (newest if fits else older).append(request)
        count -= size if fits else 0
    return older[::-1], newest[::-1]


def _by_age(requests: Iterable[Iterable[PreferenceItem]]) -> tuple[PreferenceItem, ...]:
    return tuple(sorted(chain.from_iterable(requests), key=lambda item: (item.order, item.id)))


def for_phrases_only(items: Sequence[PreferenceItem], split: Split) -> list[PreferenceItem]:
    """Items that no vector learns from, without copies of those that choose and judge: these must not be known."""
    judging = {item.said for item in (*split.tune, *split.held_back)}
    learnable = {item.id for item in split.learnable}
    return [item for item in items if item.id not in learnable and item.said not in judging]
