"""What there is to learn from, in words: texts make vectors, messages only words and phrases."""

from __future__ import annotations

import pytest

from assistant.profile.counted import counted, texts_to_learn_from
from assistant.profile.preferences import LearnableItem
from assistant.records import PreferenceItem, Source


def one(source: Source, *, reason: str = "") -> LearnableItem:
    return LearnableItem(PreferenceItem("id", "", "some words of mine", source, 0), False, reason)


@pytest.mark.parametrize(
    ("items", "words", "texts"),
    [
        ([], "0 of 0 texts will be learned from", 0),
        ([one(Source.WRITING)], "1 of 1 text will be learned from", 1),
        (
            [one(Source.CHOSEN), one(Source.EDITED, reason="too short"), one(Source.OWN_MESSAGE)],
            "1 of 2 texts will be learned from, and words and phrases of 1 chat message",
            1,
        ),
        (
            [one(Source.OWN_MESSAGE), one(Source.OWN_MESSAGE, reason="too short")],
            "0 of 0 texts will be learned from, and words and phrases of 1 of 2 chat messages",
            0,
        ),
    ],
)
def test_texts_and_messages_are_counted_apart(items, words, texts):
    assert counted(items) == words
    assert texts_to_learn_from(items) == texts
