"""How much has to come before a rebuild is offered, and how that is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.profile.news import News

NUMBERS = st.integers(0, 5000)


@pytest.mark.parametrize(
    ("learned", "new", "enough"), [(4, 4, False), (4, 5, True), (50, 5, True), (51, 5, False), (51, 6, True)]
)
def test_five_or_a_tenth_of_what_was_learned_from_is_enough(learned, new, enough) -> None:
    assert News(3, learned, new).enough is enough


@pytest.mark.parametrize(("new", "enough"), [(0, False), (7, False), (8, True)])
def test_the_first_time_as_many_are_needed_as_a_rebuild_is_switched_on_with(new, enough) -> None:
    assert News(None, 0, new).enough is enough


def test_what_was_taken_out_forgotten_or_vetoed_counts_as_well() -> None:
    assert not News(3, 20, 1, gone=2, vetoed=1).enough
    assert News(3, 20, 1, gone=2, vetoed=1, forgotten=True).enough


def test_without_enough_to_learn_from_no_rebuild_is_offered() -> None:
    assert not News(3, 8, 0, gone=5).enough, "3 texts are left, and a rebuild would refuse them"
    assert News(3, 8, 1, gone=5).enough


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_more_news_are_never_less_of_a_reason(learned, new, gone, vetoed) -> None:
    gone = min(gone, learned)
    less, more = News(1, learned, new, gone, vetoed=vetoed), News(1, learned, new + 1, gone, vetoed=vetoed + 1)
    assert more.enough or not less.enough


@pytest.mark.parametrize(
    ("news", "words"),
    [
        (News(3, 40, 12), "12 new texts since version 3"),
        (News(3, 40, 1), "1 new text since version 3"),
        (News(3, 40, 0), "nothing new since version 3"),
        (News(None, 0, 1200), "1,200 new texts, nothing learned yet"),
        (News(None, 0, 0), "nothing learned yet"),
        (News(2, 40, 3, 1, vetoed=2), "3 new texts, 1 taken out, 2 vetoed since version 2"),
        (News(2, 40, 0, 4, forgotten=True), "4 taken out, a text forgotten since version 2"),
    ],
)
def test_it_is_told_in_a_few_words(news, words) -> None:
    assert news.words == words
