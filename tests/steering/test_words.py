"""Selection and phrases: from effects to what a person reads."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.effects.phrases import WordEffect, rank_phrases, word_effects
from steering.effects.selection import preference_tokens, token_weights, without_vetoed
from steering.items import PreferenceItem, Source
from tests.steering.oracles import make_effects

EFFECTS = [-100.0, -2.0, 0.0, 0.49, 0.5, 3.0, 800.0]


def test_weights_by_hand():
    assert token_weights([0.0, 0.5, -0.5]) == pytest.approx([0.5, 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1))])
    assert token_weights(EFFECTS, "relu") == [0.0, 0.0, 0.0, 0.49, 0.5, 3.0, 800.0]
    assert token_weights(EFFECTS, "threshold") == [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    assert token_weights(EFFECTS, "uniform") == [1.0] * 7


@given(effects=st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_sigmoid_weights_are_shares_that_grow_with_the_effect(effects):
    weights = token_weights(effects)
    assert all(0.0 < w <= 1.0 for w in weights)
    ordered = [w for _, w in sorted(zip(effects, weights, strict=True))]
    assert ordered == sorted(ordered)


def by_word(text: str) -> list[tuple[int, int]]:
    """A token for every word with the blank before it, as byte-level BPE cuts."""
    spans, start = [], 0
    for word in text.split(" "):
        end = start + len(word) + (start > 0)
        spans.append((start, end))
        start = end
    return spans


@pytest.mark.parametrize(
    ("text", "vetoed", "kept"),
    [
        ("cheers mate see you", ["cheers mate"], [0, 0, 1, 1]),
        ("Cheers, mate! see you", ["cheers mate"], [0, 0, 1, 1]),
        ("cheers\nmate see you", ["cheers mate"], [0, 1, 1]),
        ("“cheers” mate see _you_", ["cheers", "you"], [0, 1, 1, 0]),
        ("cheerscheers cheersy x", ["cheers"], [1, 1, 1]),
        ("a.b axb x", ["a.b"], [0, 1, 1]),
        ("cheers mate", [], [1, 1]),
        ("cheers mate", [""], [1, 1]),
        ("cheers mate", ["  "], [1, 1]),
        ("cheers mate", ["Cheers, mate!"], [0, 0]),
    ],
)
def test_a_vetoed_phrase_has_no_weight_wherever_it_stands(text, vetoed, kept):
    spans = by_word(text)
    effects = make_effects(spans, [1.0] * len(spans))
    assert without_vetoed(text, effects, [1.0] * len(spans), vetoed) == kept


def test_the_neighbours_of_a_vetoed_word_keep_their_weight():
    effects = make_effects([(0, 2), (2, 8), (8, 9), (9, 10), (10, 10)], [1.0] * 5)
    assert without_vetoed("x(cheers)y", effects, [1.0] * 5, ["cheers"]) == [1, 0, 1, 1, 1]


def test_every_phrase_that_is_shown_can_be_vetoed():
    """What `rank_phrases` joins from words, `without_vetoed` finds again in the text."""
    text = "well -- rinse, the (rice); and rinse the... rice! e\u0301te\u0301 हिन्दी"
    spans = by_word(text)
    effects = make_effects(spans, [0.0, 0.0, 2.0, 2.0, 2.0, 0.0, 2.0, 2.0, 2.0, 0.0, 2.0][: len(spans)])
    item = PreferenceItem("a", "", text, Source.WRITING, 0.0)
    shown = rank_phrases([item], {"a": effects})
    assert shown
    for phrase in shown:
        weights = without_vetoed(text, effects, [1.0] * len(spans), [phrase.text])
        assert 0.0 in weights, phrase.text


def test_preference_tokens_are_counted():
    one, other = (make_effects([(i, i + 1) for i in range(len(e))], e) for e in ([0.5, 0.4], [2.0, 0.6, -3.0]))
    assert preference_tokens([one, other]) == 3


def test_words_sum_their_tokens():
    text = "so, unbelievable!\n ok 😀"
    spans = [(0, 2), (2, 3), (3, 6), (6, 16), (16, 17), (17, 18), (18, 21), (21, 23), (23, 23)]
    found = word_effects(text, make_effects(spans, [1.0, 0.5, 0.25, 0.5, 0.125, 9.0, 2.0, 0.75, 0.5]))
    assert found == [
        WordEffect("so", 1.5),
        WordEffect("unbelievable", 0.875),
        WordEffect("ok", 2.0),
        WordEffect("", 1.25),
    ]


def test_words_beyond_the_scored_part_are_left_out():
    found = word_effects("one two three", make_effects([(0, 3), (3, 7)], [1.0, 2.0]))
    assert [w.word for w in found] == ["one", "two"]


@pytest.mark.parametrize("word", ["cafe\u0301", "हिन्दी", "नमस्ते", "it's", "日本語", "x", "a_b"])
def test_marks_at_the_end_of_a_word_stay(word):
    (found,) = word_effects(f"({word}),", make_effects([(0, len(word) + 3)], [1.0]))
    assert found.word == word


def history(*texts: str) -> list[PreferenceItem]:
    return [PreferenceItem(f"i{k}", "", text, Source.WRITING, float(k)) for k, text in enumerate(texts)]


def scored(items: list[PreferenceItem], effect_of: dict[str, float]) -> dict:
    return {
        item.id: make_effects(by_word(item.text), [effect_of.get(w.strip(",.!"), 0.0) for w in item.text.split(" ")])
        for item in items
    }


def test_phrases_by_hand():
    items = history("cheers mate, nice day", "the day is nice to me. Cheers mate", "nothing here")
    phrases = rank_phrases(items, scored(items, {"cheers": 1.0, "Cheers": 1.0, "mate": 2.0, "nice": 0.6}))
    assert {p.text: (p.effect, p.count, p.item_ids) for p in phrases} == {
        "cheers mate nice": (3.6, 1, ("i0",)),
        "Cheers mate": (6.0, 2, ("i0", "i1")),
        "nice": (1.2, 2, ("i0", "i1")),
    }
    assert [p.text for p in phrases] == ["Cheers mate", "nice", "cheers mate nice"], "6/6, 1.2/6, and one item only"


def test_a_frequent_word_of_little_effect_does_not_bury_a_rare_one_of_much():
    items = history(*["the end of the day"] * 6, "a weir", "the weir")
    effects = scored(items, {"the": 0.6, "weir": 1.9})
    found = {p.text: p.effect for p in rank_phrases(items, effects)}
    assert found["the"] > found["weir"], "in sum"
    assert next(iter(found)) == "weir"


def test_what_recurs_over_items_beats_what_recurs_in_one():
    items = history("alpha and alpha", "beta and so", "beta")
    assert [p.text for p in rank_phrases(items, scored(items, {"alpha": 1.0, "beta": 0.9}))] == ["beta", "alpha"]


def test_a_word_that_loses_on_its_other_occurrences_is_no_phrase():
    items = history("the cat", "the dog", "the end")
    effects = scored(items, {})
    effects["i0"] = make_effects(by_word("the cat"), [0.9, 0.0])
    effects["i1"] = make_effects(by_word("the dog"), [-1.0, 0.0])
    assert rank_phrases(items, effects) == ()


def test_a_long_run_is_cut_into_phrases():
    words = [f"w{i}" for i in range(10)]
    items = history(" ".join(words))
    phrases = rank_phrases(items, scored(items, dict.fromkeys(words, 1.0)))
    assert {p.text for p in phrases} == {"w0 w1 w2 w3", "w4 w5 w6 w7", "w8 w9"}


def test_vetoed_phrases_are_not_shown():
    items = history("cheers mate, nice day")
    effects = scored(items, {"cheers": 1.0, "mate": 2.0, "day": 3.0})
    assert {p.text for p in rank_phrases(items, effects, vetoed=["CHEERS, mate"])} == {"day"}
    assert {p.text for p in rank_phrases(items, effects, vetoed=["cheers"])} == {"mate", "day"}
    assert {p.text for p in rank_phrases(items, effects, vetoed=["mate nice"])} == {"cheers", "day"}
    assert len(rank_phrases(items, effects, limit=1)) == 1
    assert rank_phrases(items, {}) == ()
