"""What steering does to generated replies: repetition and length, under the person's own sampling settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from steering.profile import MAX_REPLY_CHANGE
from steering.words import words

Floats = npt.NDArray[np.float64]
REPLY_TOKENS, JUDGED_TOKENS = 48, 384
"""Of a reply at most: of one whose tokens are scored, and of one whose length and repetition are looked at. By the
latter three or four of five of the bundled model's have ended; in 128, where one of four has, those that go on for ever
looked like all others."""
_NGRAM = 4
_REPETITION_FLOOR = 0.05
"""Share of repeated 4-grams that is taken as the base where the unsteered model repeats itself less."""
_DRAWS = 1000


@dataclass(frozen=True, slots=True)
class ReplyChange:
    """Rise of repetition and change of mean length, relative to the plain model's replies.

    `credible`: the part that neither chance nor the description explains. "Answers of about 90 words" is what the
    person reads there and can change, so a length between the plain model's and the described one is no harm.
    `credible_*` is the end nearer to zero of an 80 % bootstrap interval over the replies (0 where it spans zero):
    with a few dozen sampled replies the length alone varies by 10 % from one draw to the next.
    """

    repetition_rise: float
    length_change: float
    credible_repetition_rise: float
    credible_length_change: float
    undescribed_length_change: float = 0.0
    """The part that the description does not explain, chance or not."""

    @property
    def length_within_budget(self) -> bool:
        """Whether what neither chance nor the description explains of it stays within MAX_REPLY_CHANGE."""
        return abs(self.credible_length_change) <= MAX_REPLY_CHANGE

    @property
    def within_budget(self) -> bool:
        """Whether what chance does not explain stays below MAX_REPLY_CHANGE."""
        return self.credible_repetition_rise <= MAX_REPLY_CHANGE and self.length_within_budget


def compare_replies(plain: Sequence[str], described: Sequence[str], steered: Sequence[str]) -> ReplyChange:
    """From the plain replies to the steered ones; `described`: with the description in the prompt and no vector.

    All are replies to the same requests.
    """
    base, asked, found = (
        np.array([[repetition(r), len(words(r))] for r in side]) for side in (plain, described, steered)
    )
    draws = np.random.default_rng(0).integers(0, len(base), (_DRAWS, len(base)))
    means = [side[draws].mean(axis=1) for side in (base, asked, found)]
    rise = _relative(base.mean(axis=0), found.mean(axis=0))
    repeated, _ = _credible(_relative(means[0], means[2]))
    _, length = _credible(_nearer(_relative(means[0], means[2]), _relative(means[1], means[2])))
    _, undescribed = _nearer(rise, _relative(asked.mean(axis=0), found.mean(axis=0)))
    return ReplyChange(float(rise[0]), float(rise[1]), float(repeated), float(length), float(undescribed))


def repetition(reply: str) -> float:
    """Share of a reply's 4-grams of words that it has used before; 0 for a reply too short to have any."""
    written = words(reply)
    grams = [tuple(written[i : i + _NGRAM]) for i in range(len(written) - _NGRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def _credible(draws: Floats) -> Floats:
    low, high = np.quantile(draws, [0.1, 0.9], axis=0)
    credible: Floats = np.where(low > 0, low, np.where(high < 0, high, 0.0))
    return credible


def _nearer(one: Floats, other: Floats) -> Floats:
    """Of two changes the smaller one, 0 where they go in opposite directions."""
    nearer: Floats = np.where(one * other > 0, np.where(np.abs(one) < np.abs(other), one, other), 0.0)
    return nearer


def _relative(base: Floats, other: Floats) -> Floats:
    floor = np.maximum(base, np.array([_REPETITION_FLOOR, 1.0]))
    relative: Floats = (other - base) / floor
    return relative
