"""Conversations against small windows, counted in words."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.engine.protocol import Turn
from assistant.engine.window import fit, readable_end
from assistant.errors import EngineError


def encode(turns):
    return [hash((turn.role, word)) for turn in turns for word in (turn.role, *turn.text.split())]


def count(text):
    return len(text.split())


def conversation(lengths: list[tuple[int, int]], system: int = 0) -> list[Turn]:
    turns = [Turn("system", "s " * system)] if system else []
    for index, (asked, answered) in enumerate(lengths):
        turns += [Turn("user", f"q{index} " * asked), Turn("assistant", f"a{index} " * answered)]
    return [*turns, Turn("user", "last question")]


def test_what_fits_is_left_whole():
    turns = conversation([(3, 3)] * 4, system=2)
    prompt = fit(turns, encode, count, window=200, reply_room=20)
    assert (prompt.tokens, prompt.dropped_turns) == (encode(turns), 0)


def test_oldest_turns_leave_with_their_replies_and_the_system_turn_stays():
    turns = conversation([(10, 10)] * 4, system=3)
    prompt = fit(turns, encode, count, window=60, reply_room=8)
    kept = len(turns) - 1 - prompt.dropped_turns
    assert prompt.dropped_turns in (4, 6)
    assert prompt.tokens == encode([turns[0], *turns[-kept:]])
    assert len(prompt.tokens) + 8 <= 60


def test_last_message_that_is_too_long_is_refused_in_words():
    turns = [*conversation([(3, 3)]), Turn("assistant", "yes"), Turn("user", "w " * 70)]
    with pytest.raises(EngineError, match=r"needs 71 tokens and the window has 60; shorten it"):
        fit(turns, encode, count, window=60, reply_room=8)


def test_last_message_that_leaves_less_room_than_wished_is_still_answered():
    turns = [*conversation([(3, 3)]), Turn("assistant", "yes"), Turn("user", "w " * 55)]
    prompt = fit(turns, encode, count, window=60, reply_room=8)
    assert prompt.tokens == encode(turns[-1:])
    assert prompt.dropped_turns == 4


def test_cut_moves_in_steps_so_that_the_prefix_lasts():
    """While a conversation grows past the window by a word a turn, its kept beginning changes only now and then."""
    beginnings = []
    for turns in range(20, 40):
        prompt = fit(conversation([(2, 2)] * turns), encode, count, window=100, reply_room=10)
        beginnings.append(tuple(prompt.tokens[:3]))
    changes = sum(one != other for one, other in itertools.pairwise(beginnings))
    assert 2 <= changes <= 6


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), max_size=12), st.integers(0, 5), st.integers(20, 200)
)
def test_result_is_always_a_whole_end_that_fits(lengths, system, window):
    turns = conversation(lengths, system)
    prompt = fit(turns, encode, count, window, reply_room=8)
    head = turns[:1] if system else []
    kept = turns[len(head) + prompt.dropped_turns :]
    assert prompt.tokens == encode([*head, *kept])
    assert kept[0].role == "user"
    assert len(prompt.tokens) < window
    assert len(prompt.tokens) + 8 <= window or len(kept) == 1


def test_a_turn_that_cannot_fit_is_left_out_before_anything_is_tokenized():
    giant = Turn("user", "g" * 601)
    turns = [Turn("system", "s"), Turn("user", "q"), giant, Turn("assistant", "a"), Turn("user", "last")]
    assert readable_end(turns, lambda: 10, window=60) == [turns[0], turns[-1]]
    assert readable_end(turns[:2], lambda: 10, window=60) == turns[:2]
    assert readable_end(turns, lambda: 11, window=60) == turns
    for wrong in ([*turns, giant], [Turn("system", giant.text), *turns]):
        with pytest.raises(EngineError, match=r"needs at least 61 tokens and the window has 60; shorten it"):
            readable_end(wrong, lambda: 10, window=60)
