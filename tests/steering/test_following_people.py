"""Preferences are read line by line, and people are dealt out of them."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.evaluation.following.people import Preference, deal, follower_key, history_of, read_preferences
from steering.items import Source
from tests.preference_lines import preference_line


def file(*lines: str | bytes) -> bytes:
    return b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)


def preferences(topics: list[str]) -> list[Preference]:
    return [Preference(f"{topic} {i}", topic, f"s {i}", f"q {i}", ("a", "b"), 0) for i, topic in enumerate(topics)]


def test_a_line_is_a_preference():
    found, left_out = read_preferences(file(preference_line("pets", 3, correct_index=2)))
    options = ("Try the other pets.", "Take pets of sort 3.", "Buy 3 more pets.")
    said = "I really dislike pets of the sort 3 and avoid it."
    assert found == {1: Preference("pets-3", "pets", said, "What would you recommend in pets?", options, 2)}
    assert left_out == []


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        (preference_line("ü", 1).encode("utf-16-le"), "not"),
        (json.dumps({"item_id": "ü"}, ensure_ascii=False).encode("latin-1"), "not UTF-8"),
        (preference_line("pets", 1, preference=None), '"preference" is missing'),
        (preference_line("pets", 1, question=" "), "empty"),
        (preference_line("pets", 1, item_id=""), "empty"),
        (preference_line("pets", 1, topic=7), '"topic" is missing or no text'),
        (preference_line("pets", 1, options=None), "it has no options"),
        (preference_line("pets", 1, options="abcd"), '"options" is no list of texts'),
        (preference_line("pets", 1, options=["a", " "]), '"options" is no list of texts'),
        (preference_line("pets", 1, options=["a", 2]), '"options" is no list of texts'),
        (preference_line("pets", 1, options=["a"]), "fewer than two options"),
        (preference_line("pets", 1, options=["a", "b", "a "]), "two that are equal"),
        (preference_line("pets", 1, correct_index=3), "not the place of an option"),
        (preference_line("pets", 1, correct_index=-1), "not the place of an option"),
        (preference_line("pets", 1, correct_index=True), "not the place of an option"),
        (preference_line("pets", 1, correct_index="0"), "not the place of an option"),
        (preference_line("bread", 0), "the same item_id as in line 1"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_and_the_rest_goes_on(broken, why):
    found, left_out = read_preferences(file(preference_line("bread", 0), "", broken, preference_line("music", 0)))
    assert [(one.line, why in one.why) for one in left_out] == [(3, True)]
    assert [(line, one.id) for line, one in found.items()] == [(1, "bread-0"), (4, "music-0")]


@given(st.binary())
def test_any_file_is_read(data):
    found, left_out = read_preferences(data)
    assert found == {} and all(one.why and one.line > 0 for one in left_out)


@given(st.lists(st.sampled_from("abcdefg"), max_size=60), st.integers(1, 5), st.integers(0, 5))
def test_nobody_has_a_topic_twice_and_no_preference_is_dealt_twice(topics, each, seed):
    known = preferences(topics)
    people = deal(known, each, seed)
    dealt = [preference for person in people for preference in person.preferences]
    assert all(len({one.topic for one in person.preferences}) == each for person in people)
    assert all(len(person.preferences) == each for person in people)
    assert len(set(dealt)) == len(dealt) and set(dealt) <= set(known)
    # It ended because too few topics were left, not before.
    assert len(Counter(one.topic for one in known if one not in dealt)) < each
    assert [person.user_id for person in people] == [f"person {i + 1}" for i in range(len(people))]


@given(st.lists(st.sampled_from("abcdefg"), min_size=10, max_size=60), st.integers(0, 5))
def test_more_people_leave_the_first_as_they_are(topics, seed):
    known = preferences(topics)
    everybody = deal(known, 3, seed)
    for count in range(len(everybody) + 2):
        assert deal(known, 3, seed, count) == everybody[:count]


def test_the_seed_decides_who_has_what():
    known = preferences(list("abcdefgh") * 5)
    assert deal(known, 4, 1) == deal(known, 4, 1) != deal(known, 4, 2)


def test_the_history_holds_what_was_stated_and_nothing_that_is_scored():
    (person,) = deal(preferences(list("abc")), 3, 0)
    history = history_of(person.preferences)
    assert [(item.text, item.context, item.negative) for item in history] == [
        (one.statement, "", None) for one in person.preferences
    ]
    assert {item.source for item in history} == {Source.OWN_MESSAGE}
    assert [item.order for item in history] == [0.0, 1.0, 2.0]


def test_a_key_is_of_what_is_scored_and_said():
    first, again = (deal(preferences(list("abc")), 3, 0)[0] for _ in range(2))
    other = deal(preferences(list("abd")), 3, 0)[0]
    assert follower_key(first) == follower_key(again) != follower_key(other)
