"""A number agrees with its noun, wherever it is said."""

from __future__ import annotations

import pytest

from assistant.figures import count
from assistant.history.importing import Preview
from assistant.profile.left_out import passages_in_words
from assistant.records import Passage
from steering.own_text import Reason
from tui.moving_words import preview_lines
from tui.widgets.models.offer import Offer, offer_words


@pytest.mark.parametrize(("number", "words"), [(0, "0 texts"), (1, "1 text"), (2, "2 texts"), (1204, "1,204 texts")])
def test_a_number_has_its_noun(number, words):
    assert count(number, "text") == words


def test_a_plural_of_its_own_is_used():
    assert [count(number, "process", "processes") for number in (1, 2)] == ["1 process", "2 processes"]


def test_one_is_singular_in_what_is_said(tmp_path):
    assert preview_lines(Preview(tmp_path, None, 1, 1, 0, 1, {})) == ["1 conversation, 1 message, 1 text"]
    assert passages_in_words([Passage(0, 3, next(iter(Reason)), 1, "old")]).startswith("1 word of it is not yours")
    keys = {"models.rebuild": "b"}
    assert "the same 1 text (soon)" in offer_words(Offer(None, in_use=False), 1, "soon", keys)
