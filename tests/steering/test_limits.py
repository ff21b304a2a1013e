"""Long texts are cut in windows; short contexts are shared out, and refused where nothing fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.effects.history import ITEM_TOKENS
from steering.errors import EstimatorError
from steering.models.limits import MAX_WINDOW_TOKENS, MIN_CONTEXT, Limits, limits_of, windows


@given(prompt=st.integers(1, 400), text=st.integers(1, 3000), context=st.one_of(st.none(), st.integers(420, 4000)))
def test_every_token_is_scored_once_after_what_precedes_it(prompt, text, context):
    prompt_ids, text_ids = tuple(range(-prompt, 0)), tuple(range(text))
    cut = windows(prompt_ids, text_ids, context)
    assert [token for window in cut for token in window.text_ids] == list(text_ids)
    for window in cut:
        repeated = window.prompt_ids[prompt:]
        assert window.prompt_ids[:prompt] == prompt_ids
        assert repeated == tuple(range(window.text_ids[0] - len(repeated), window.text_ids[0]))
        assert window.length <= (context or prompt + MAX_WINDOW_TOKENS)
    assert all(len(window.prompt_ids) > prompt for window in cut[1:])


def test_a_text_that_fits_is_one_window():
    assert len(windows((1, 2), tuple(range(MAX_WINDOW_TOKENS)), None)) == 1
    assert len(windows((1, 2), tuple(range(98)), 100)) == 1
    assert len(windows((1, 2), tuple(range(99)), 100)) == 2


def test_a_short_context_is_shared_out():
    assert limits_of(None) == Limits(None, 600, 256)
    assert limits_of(2048) == Limits(2048, 600, 256)
    assert limits_of(1024) == Limits(1024, 307, 128)
    shared = limits_of(MIN_CONTEXT)
    assert shared.history + shared.request < MIN_CONTEXT // 2
    assert shared.history >= ITEM_TOKENS, "else no item would ever be compared with anything"


def test_a_context_without_room_is_refused():
    with pytest.raises(EstimatorError, match="a context of 128 tokens is too short"):
        limits_of(128)
    with pytest.raises(EstimatorError, match="a prompt of 250 tokens leaves no room in a context of 256"):
        windows(tuple(range(250)), (1, 2), 256)
