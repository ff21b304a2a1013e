"""From likelihoods of options to shares of pairs ranked right, margins, and what they are over people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from steering.evaluation.names import UNSTEERED
from steering.evaluation.summary import interval


@dataclass(frozen=True, slots=True)
class Ranked:
    """Pairs of a right and a violating option of one person.

    Attributes:
        share: of the pairs whose right option is the likelier per token; a tie is none.
        margin: mean of NLL(violating) - NLL(right), nats/token; above zero is right.
        pairs: how many there are.
    """

    share: float
    margin: float
    pairs: int


def margins(nlls: Sequence[float], right: int) -> list[float]:
    """NLL(violating) - NLL(right) of every violating option of a question, nats/token."""
    return [nll - nlls[right] for place, nll in enumerate(nlls) if place != right]


def ranked(nlls: Sequence[Sequence[float]], rights: Sequence[int]) -> Ranked:
    """All pairs of a person; `nlls` and the place of the right option by question."""
    found = np.array([m for own, right in zip(nlls, rights, strict=True) for m in margins(own, right)])
    return Ranked(float((found > 0).mean()), float(found.mean()), len(found))


def following(people: Mapping[str, Mapping[str, Ranked]]) -> dict[str, dict[str, Any]]:
    """Figures by method from `people`, which holds each method's pairs by person; `unsteered` is among them.

    Options differ in length and fluency, which decides much of a margin; both are the same without and with a profile,
    so the change against `unsteered` on the same people is what a profile does.
    """
    base = people[UNSTEERED]
    return {method: _figures(own, base) for method, own in people.items()}


def differences(people: Mapping[str, Mapping[str, Ranked]], pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """`"a>b"`: how much larger margin and share are with a than with b, on the people who have both."""
    found = {}
    for first, second in pairs:
        both = [user for user in people.get(first, {}) if user in people.get(second, {})]
        if both:
            a, b = ([people[name][user] for user in both] for name in (first, second))
            found[f"{first}>{second}"] = {"people": len(both), **_change(a, b)}
    return found


def _figures(own: Mapping[str, Ranked], base: Mapping[str, Ranked]) -> dict[str, Any]:
    values = list(own.values())
    shares, means = [one.share for one in values], [one.margin for one in values]
    return {
        "people": len(values),
        "pairs": sum(one.pairs for one in values),
        "share_right": float(np.mean(shares)),
        "share_right_ci": _of_share(interval(shares)),
        "margin": float(np.mean(means)),
        "margin_ci": interval(means),
        **_change(values, [base[user] for user in own]),
    }


def _of_share(ends: Sequence[float] | None) -> list[float] | None:
    """Student's interval knows no bounds, a share has them."""
    return None if ends is None else [min(1.0, max(0.0, end)) for end in ends]


def _change(own: Sequence[Ranked], base: Sequence[Ranked]) -> dict[str, Any]:
    share = [one.share - other.share for one, other in zip(own, base, strict=True)]
    margin = [one.margin - other.margin for one, other in zip(own, base, strict=True)]
    return {
        "share_change": float(np.mean(share)),
        "share_change_ci": interval(share),
        "margin_change": float(np.mean(margin)),
        "margin_change_ci": interval(margin),
        "people_better": float(np.mean(np.array(margin) > 0)),
    }
