"""From effects to what is learned: a weight for every token, none where the person said no."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Literal

from steering.effects.token_effects import TokenEffects
from steering.effects.vetoes import overlaps, vetoed_spans
from steering.profile import PREFERENCE_THRESHOLD

Weighting = Literal["sigmoid", "relu", "threshold", "uniform"]

PREFERENCE_NATS = PREFERENCE_THRESHOLD["ratio"]


def token_weights(effects: Sequence[float], kind: Weighting = "sigmoid") -> list[float]:
    """Weight of every token in the loss or the mean, from its effect in nats.

    `sigmoid`: 1 / (1 + exp(-2 effect)), keeps every token in play and was steadiest on real people;
    `relu`: max(0, effect); `threshold`: 1 from PREFERENCE_NATS on, else 0; `uniform`: 1 (the plain backbone).
    """
    match kind:
        case "sigmoid":
            return [1.0 / (1.0 + math.exp(-2.0 * max(-30.0, effect))) for effect in effects]
        case "relu":
            return [max(0.0, effect) for effect in effects]
        case "threshold":
            return [float(effect >= PREFERENCE_NATS) for effect in effects]
        case "uniform":
            return [1.0] * len(effects)


def without_vetoed(text: str, effects: TokenEffects, weights: Sequence[float], vetoed: Collection[str]) -> list[float]:
    """The weights with 0 wherever a token overlaps a vetoed phrase (whole words, any case and punctuation)."""
    covered = vetoed_spans(text, vetoed)
    return [
        0.0 if overlaps(start, end, covered) else weight
        for start, end, weight in zip(effects.starts, effects.ends, weights, strict=True)
    ]


def preference_tokens(effects: Iterable[TokenEffects]) -> int:
    """How many tokens have an effect of at least PREFERENCE_NATS."""
    return sum(effect >= PREFERENCE_NATS for e in effects for effect in e.effects)
