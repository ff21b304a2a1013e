"""Styles told apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steering.evaluation.attribution import READ_WORDS, StyleClassifier, habits_nearer, recognised, shortened

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
