"""A title is a title, not a sentence of small talk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.conversation.titles import LONGEST, title_of


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ('"Getting wine stains out"', "Getting wine stains out"),
        ("Title: **Lists and Tuples in Python**", "Lists and Tuples in Python"),
        ("  “Das Meer im Winter.” ", "Das Meer im Winter"),
        ("# A haiku about the sea", "A haiku about the sea"),
        ("Sure", ""),
        ("", ""),
        ("Of course! I would be glad to give this long conversation a fitting and concise title for you", ""),
    ],
)
def test_the_title_in_an_answer(answer, title):
    assert title_of(answer) == title


@given(st.text())
def test_any_answer_gives_one_short_line_or_nothing(answer):
    title = title_of(answer)
    assert len(title) <= LONGEST
    assert "\n" not in title
    assert title_of(title) in (title, "")


def test_a_title_of_the_persons_own_is_one_line(assistant):
    talk = assistant.chat.new_conversation()
    assistant.history.give_title(talk.id, "  two\nlines\there ")
    assert [one.title for one in assistant.history.conversations()] == ["two lines here"]
