"""What the replies to the test requests look like beside the person's own texts, judged as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

import numpy as np

from steering.calibration.replies import repetition
from steering.words import WordTokenizer, words

WORDS = 50
"""Of a reply and of the person's text that are compared: replies are cut short, so both are."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """F1 of ROUGE-1 and ROUGE-L (Lin 2004), and METEOR (Banerjee and Lavie 2005), means over the texts, 0 to 1.

    Of the words of `steering.words`. METEOR is nltk's with its matches of equal words and equal stems; the
    matches of synonyms need the WordNet database, which would have to be downloaded.
    """

    rouge_1: float
    rouge_l: float
    meteor: float


@dataclass(frozen=True, slots=True)
class Form:
    """Shares of different words and word pairs (distinct-1, distinct-2), of repeated 4-grams, and words a reply."""

    distinct_1: float
    distinct_2: float
    repetition: float
    words: float


class _NoSynonyms:
    """Stands where nltk wants a WordNet reader."""

    def synsets(self, _word: str) -> list[Any]:
        return []


def overlap(replies: Sequence[str], own: Sequence[str]) -> Overlap:
    """Each reply against what the person wrote to the same request."""
    from nltk.translate.meteor_score import single_meteor_score
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rouge1", "rougeL"], tokenizer=WordTokenizer())
    rows = []
    for reply, text in zip(replies, own, strict=True):
        given, wanted = words(reply)[:WORDS], words(text)[:WORDS]
        found = scorer.score(" ".join(wanted), " ".join(given))
        meteor = single_meteor_score(wanted, given, wordnet=_NoSynonyms()) if given else 0.0
        rows.append((found["rouge1"].fmeasure, found["rougeL"].fmeasure, meteor))
    return Overlap(*(float(mean) for mean in np.mean(rows, axis=0)))


def form(replies: Sequence[str]) -> Form:
    """Of all replies of a person taken together; repetition within each one."""
    split = [words(reply) for reply in replies]
    pairs = [list(pairwise(own)) for own in split]
    return Form(
        _distinct(list(chain.from_iterable(split))),
        _distinct(list(chain.from_iterable(pairs))),
        float(np.mean([repetition(reply) for reply in replies])),
        float(np.mean([len(own) for own in split])),
    )


class Attribution:
    """Whose history are replies nearest to? Cosines of TF-IDF of character n-grams to each history's mean."""

    def __init__(self, histories: Mapping[str, Sequence[str]]) -> None:
        """`histories` are the texts of all people, by user id; at least two people.

        Raises: ValueError: there are no others to be told from.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer

        if len(histories) < 2:
            raise ValueError("attribution needs at least two people")
        self._users = list(histories)
        self._features = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), lowercase=False, sublinear_tf=True)
        rows = self._features.fit_transform(list(chain.from_iterable(histories.values())))
        ends = np.cumsum([len(texts) for texts in histories.values()])
        parts = np.split(np.arange(rows.shape[0]), ends[:-1])
        self._means = np.vstack([np.asarray(rows[part].mean(axis=0)).ravel() for part in parts])
        self._means /= np.linalg.norm(self._means, axis=1, keepdims=True).clip(1e-12)

    def nearer(self, user_id: str, replies: Sequence[str]) -> tuple[bool, bool]:
        """Whether replies are nearer to their person's history than to the others' on average, and than to any other.

        Chance is one half for the first and one of the number of people for the second.
        """
        cosines = self._means @ np.asarray(self._features.transform(replies).mean(axis=0)).ravel()
        place = self._users.index(user_id)
        others = np.delete(cosines, place)
        return bool(cosines[place] > others.mean()), bool(cosines[place] > others.max())


def _distinct(grams: Sequence[object]) -> float:
    return len(set(grams)) / len(grams) if grams else 0.0
