"""Whose style is a reply? A character n-gram classifier of one person against everybody else, and measured habits.

Likelihood that nobody can see is not yet a style: replies are judged here as text, as a reader would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from steering.description import measure_habits

READ_WORDS = 50
"""Words of a text that are looked at: replies and texts are judged at the same length."""


class StyleClassifier:
    """Logistic regression on TF-IDF of character n-grams: the person's texts against others' and unsteered replies.

    Character n-grams within words: the standard features of authorship attribution; they carry case, punctuation,
    contractions and endings, and less of the topic than words do.
    """

    def __init__(self, own: Sequence[str], others: Sequence[str]) -> None:
        """Train; both sides count alike, however many texts they have."""
        features = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), lowercase=False, sublinear_tf=True)
        self._model = make_pipeline(features, LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000))
        texts = [shortened(text) for text in (*own, *others)]
        self._model.fit(texts, [True] * len(own) + [False] * len(others))

    def probabilities(self, replies: Sequence[str]) -> list[float]:
        """Probability that each reply is the person's."""
        own: list[float] = self._model.predict_proba([shortened(reply) for reply in replies])[:, 1].tolist()
        return own


@dataclass(frozen=True, slots=True)
class Recognised:
    """How one way of replying is seen.

    Attributes:
        share: of the replies, taken for the person's own (probability above one half).
        probability: mean over the replies.
        habits_nearer: share of the measured habits in which the replies are nearer to the person's texts than
            unsteered replies are; habits in which nothing moved count as half.
    """

    share: float
    probability: float
    habits_nearer: float


def recognised(
    classifier: StyleClassifier, own: Sequence[str], unsteered: Sequence[str], replies: Sequence[str]
) -> Recognised:
    """Judge replies against the person's own texts and the unsteered replies to the same requests."""
    probabilities = np.array(classifier.probabilities(replies))
    return Recognised(
        share=float((probabilities > 0.5).mean()),
        probability=float(probabilities.mean()),
        habits_nearer=habits_nearer(own, unsteered, replies),
    )


def habits_nearer(own: Sequence[str], unsteered: Sequence[str], replies: Sequence[str]) -> float:
    """See `Recognised.habits_nearer`."""
    person, before, after = (
        np.array(astuple(measure_habits([shortened(text) for text in texts]))) for texts in (own, unsteered, replies)
    )
    moved = np.sign(np.abs(before - person) - np.abs(after - person))
    return float(((moved + 1) / 2).mean())


def shortened(text: str) -> str:
    """The first READ_WORDS words, line breaks kept."""
    words, end = 0, 0
    for end, character in enumerate(text):
        words += character.isspace() and not text[end - 1 : end].isspace()
        if words == READ_WORDS:
            return text[:end]
    return text
