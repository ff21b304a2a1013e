"""Figures over people: means, shares, bootstrap intervals, paired differences between methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from math import sqrt
from statistics import fmean
from typing import Any

import numpy as np

from steering.student import two_sided_quantile

DRAWS = 5000
MANY = 12
"""People from which on a bootstrap covers the mean about as often as it says; of eight in 87 cases of 100."""
TEXT_FIGURES = (
    *("rouge_1", "rouge_l", "meteor", "attribution", "attribution_nearest"),
    *("distinct_1", "distinct_2", "repetition", "words"),
)
"""Of generated texts."""
_AVERAGED = ("kl_neutral", "perplexity", "accuracy", *TEXT_FIGURES)


def interval(values: Sequence[float], *, level: float = 0.95, seed: int = 0) -> list[float] | None:
    """Interval of the mean over people: percentile bootstrap, below MANY Student's; None for one person alone.

    Raises: ValueError: there are no values.
    """
    if not len(values):
        raise ValueError("an interval needs values")
    if len(values) == 1:
        return None
    if len(values) < MANY:
        mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / sqrt(len(values))
        half = two_sided_quantile(level, len(values) - 1) * error
        return [mean - half, mean + half]
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


def of_method(people: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A method over people; `people` are its figures on each of them, which stay beside their means."""
    stages = list(dict.fromkeys(stage for own in people for stage in own["seconds"]))
    return {
        **gains([own["gain"] for own in people]),
        **{key: mean_of([own[key] for own in people]) for key in _AVERAGED},
        "curve": [_point([own["curve"][place] for own in people]) for place in range(len(people[0]["curve"]))],
        "chosen_kl": mean_of([own["chosen_kl"] for own in people]),
        "seconds": fmean(sum(own["seconds"].values()) for own in people),
        "seconds_by_stage": {stage: fmean(own["seconds"].get(stage, 0.0) for own in people) for stage in stages},
        "peak_mib": fmean(own["peak_mib"] for own in people),
        "by_person": list(people),
    }


def pairs_of(methods: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """See `pairs`; from methods as `of_method` makes them."""
    return pairs({name: {own["user_id"]: own["gain"] for own in found["by_person"]} for name, found in methods.items()})


def pairs(gain: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """`"a>b"`: how much more a gains than b on the same people, and for how many; `gain` by method and person."""
    found = {}
    for a, b in permutations(gain, 2):
        both = [gain[a][user] - gain[b][user] for user in gain[a] if user in gain[b]]
        if both:
            better = sum(difference > 0 for difference in both)
            found[f"{a}>{b}"] = {
                "diff": float(np.mean(both)),
                "ci": interval(both),
                "people": len(both),
                "better": better,
            }
    return found


def mean_of(values: Sequence[float | None]) -> float | None:
    """Mean of what was measured, None where nothing was."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _point(points: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    kl = mean_of([point["kl"] for point in points])
    return {"target": points[0]["target"], "kl_neutral": kl, **gains([point["gain"] for point in points])}
