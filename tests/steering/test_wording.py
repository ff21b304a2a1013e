"""What a description is chosen and judged by is not what it was made from."""

from __future__ import annotations

from collections.abc import Sequence

from steering.calibration.split import split_items
from steering.calibration.wording import best_description
from steering.items import PreferenceItem, Source
from steering.profile import Phrase

ITEMS = [
    PreferenceItem(f"i{k}", "Why?", f"marker{k} is what I say of it, and no more.", Source.WRITING, float(k))
    for k in range(8)
]


class Silent:
    """A chat model that fills in nothing."""

    def reply(self, *_args: object, **_how: object) -> str:
        return "{}"


def markers(items: Sequence[PreferenceItem]) -> list[Phrase]:
    return [Phrase(item.text.split()[0], 1.0, 1, (item.id,)) for item in items]


def test_no_text_speaks_in_the_description_that_it_judges(estimator):
    split = split_items(ITEMS)
    found = best_description(estimator, Silent(), split, markers)
    for item in ITEMS:
        marker = f"“{item.text.split()[0]}”"
        assert marker in found.shipped
        assert (marker in found.judging) == (item not in split.held_back)
        assert (marker in found.choosing) == (item in split.fit)
