"""Figures over people: means, shares, bootstrap intervals, paired differences between methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

DRAWS = 5000


def interval(values: Sequence[float], *, level: float = 0.95, seed: int = 0) -> list[float]:
    """Percentile bootstrap interval of the mean over people; too narrow below about ten of them.

    Raises: ValueError: there are no values.
    """
    if not len(values):
        raise ValueError("an interval needs values")
    drawn = np.random.default_rng(seed).integers(0, len(values), (DRAWS, len(values)))
    means = np.asarray(values, float)[drawn].mean(axis=1)
    return [float(end) for end in np.quantile(means, [(1 - level) / 2, (1 + level) / 2])]


def gains(values: Sequence[float]) -> dict[str, Any]:
    """Of one method: mean gain, its interval, and the share of people whose gain is above zero."""
    return {
        "gain_mean": float(np.mean(values)),
        "gain_ci": interval(values),
        "share_helped": float(np.mean(np.asarray(values) > 0)),
    }


def pairs(gain: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """`"a>b"`: how much more a gains than b on the same people; `gain` by method and person."""
    found = {}
    for a, b in permutations(gain, 2):
        both = [gain[a][user] - gain[b][user] for user in gain[a] if user in gain[b]]
        if both:
            found[f"{a}>{b}"] = {"diff": float(np.mean(both)), "ci": interval(both), "people": len(both)}
    return found


def mean_of(values: Sequence[float | None]) -> float | None:
    """Mean of what was measured, None where nothing was."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
