"""People read from lines, methods at equal harm, styles told apart."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.calibration.tuning import NeutralReplies
from steering.evaluation.attribution import READ_WORDS, StyleClassifier, habits_nearer, recognised, shortened
from steering.evaluation.comparison import KL, Comparison
from steering.evaluation.people import draw, planted, read_people
from steering.neutral import load_neutral_set


def line(user: str, split: str, order: int, text: str = "a text", **more: str) -> str:
    row = {"user_id": user, "split": split, "order": order, "prompt": "why?", "text": text, **more}
    return json.dumps(row)


def test_people_are_read_in_the_order_of_their_texts():
    lines = [
        line("a", "history", 2, "later"),
        line("b", "test", 1),
        line("a", "history", 1, "sooner"),
        line("a", "test", 3),
    ]
    first, second = read_people(lines)
    assert [item.text for item in first.history] == ["sooner", "later"] and len(first.test) == 1
    assert (second.user_id, len(second.history), len(second.test)) == ("b", 0, 1)


def test_the_part_that_continues_is_the_text():
    (person,) = read_people([line("a", "test", 1, "opening and rest", continuation="rest")])
    assert person.test[0].text == "rest"


@pytest.mark.parametrize("broken", ["{", "[]", '{"user_id": "a"}', '{"user_id": "a", "split": "test"}', "null"])
def test_a_broken_line_is_named(broken):
    with pytest.raises(ValueError, match=r"^line 2:"):
        read_people([line("a", "test", 1), broken])


def test_only_people_with_enough_history_and_a_test_are_drawn():
    lines = [line(user, "history", i) for user in "abcd" for i in range(5)]
    lines += [line(user, "test", 9) for user in "abc"] + [line("e", "test", 1)]
    people = read_people(lines)
    assert {p.user_id for p in draw(people, 9, 0, min_history=5, left_out=["b"])} == {"a", "c"}
    assert draw(people, 2, 1, min_history=5, left_out=()) == draw(people, 2, 1, min_history=5, left_out=())
    assert draw(people, 9, 0, min_history=6, left_out=()) == []


def test_texts_of_others_are_strewn_into_the_history():
    people = read_people([line(user, split, i) for user in "abcd" for split in ("history", "test") for i in range(5)])
    mixed = planted(people[0], people, 3, 0)
    strange = [item for item in mixed.history if item not in people[0].history]
    assert {item.id[0] for item in strange} == set("bcd") and len(mixed.history) == 8
    assert [item.order for item in mixed.history] == sorted(item.order for item in mixed.history)
    assert mixed.test == people[0].test
    assert planted(people[0], people, 3, 0) == mixed and planted(people[0], people, 0, 0) == people[0]


NORMAL = [
    "I would keep the bread in linen. It stays fresh for days.",
    "There are many ways to do this. First, you should look at the chain.",
    "The garden needs shade. Ferns are a good choice for it.",
    "You can fry the rice with an egg. It makes a good supper.",
]
LOWER = [
    "just wrap it in linen lol, stays fresh for days",
    "tbh there r many ways... look at the chain first",
    "ferns, i guess? they like the shade, lol",
    "fry the rice w an egg, its a good supper tbh",
]


def test_a_style_is_recognised():
    classifier = StyleClassifier(LOWER, NORMAL)
    unsteered = ["You should walk after supper. It helps many people sleep.", "The knife should be made of steel."]
    steered = ["just walk after supper lol, helps w sleep tbh", "any knife, i guess... steel is good lol"]
    assert recognised(classifier, LOWER, unsteered, steered).share == 1.0
    assert recognised(classifier, LOWER, unsteered, unsteered).share == 0.0
    assert recognised(classifier, LOWER, unsteered, unsteered).habits_nearer == 0.5
    assert habits_nearer(LOWER, NORMAL, LOWER) > 0.6
    assert habits_nearer(LOWER, LOWER, NORMAL) < 0.4


@given(st.text())
def test_a_shortened_text_is_its_beginning(text):
    short = shortened(text)
    assert text.startswith(short)
    assert len(short.split()) <= READ_WORDS
    assert short == text or len(short.split()) in (READ_WORDS - 1, READ_WORDS)


def test_methods_are_compared_at_equal_harm(estimator, tiny_chat):
    known = load_neutral_set()
    neutral = NeutralReplies(known.prompts, tuple(text[:60] for text in known.texts[: len(known.prompts)]))
    lines = [line("a", "history", i, f"the garden number {i} is green") for i in range(6)]
    (person,) = read_people([*lines, line("a", "test", 9, "my garden is green")])
    comparison = Comparison(estimator, tiny_chat, neutral, ("caa", "optimized", "steerx-optimized"))
    steps: list[str] = []
    first = comparison.person(person, None, steps.append)
    assert list(first.results) == ["caa", "optimized", "steerx-optimized", "random", "description-prompt"]
    second = comparison.person(person, {b: d * 9 for b, d in first.vector.items()}, steps.append)
    for name in ("caa", "optimized", "steerx-optimized", "random"):
        assert second.results[name].kl == pytest.approx(KL, rel=0.15)
    assert second.results["other-person"].gain == pytest.approx(second.results["steerx-optimized"].gain, abs=0.02)
    assert first.results["steerx-optimized"].gain > first.results["random"].gain
    assert {"effects", "caa", "optimized"} <= set(steps)
