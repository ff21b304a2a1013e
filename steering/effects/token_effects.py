"""Token-level causal effects: how much likelier a token of a text is because of who wrote it.

`effect_t = log p(y_t | x, h, y_<t) - log p(y_t | x, do(h = none), y_<t)` in nats, teacher forced, the same
template on both sides; h are earlier items of the same person (NextQuill, arXiv 2506.02368; SteerX, arXiv 2510.22256).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from steering.effects.history import Job
from steering.effects.reading import Side, Text, portions, read_together, without_history
from steering.effects.scoring import Scorer
from steering.models.estimator import Estimator

BATCH_TOKENS = 2048
"""Positions that are read at the same time, where more are no faster."""


@dataclass(frozen=True, slots=True)
class TokenEffects:
    """Effects of one item; the tuples have one entry a scored token.

    Attributes:
        starts, ends: the characters of the item's text that the token covers.
        logp_with, logp_without: log-probability in nats with and without h.
        history: the ids of the items that were h; not one entry a token.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    logp_with: tuple[float, ...]
    logp_without: tuple[float, ...]
    history: tuple[str, ...] = ()

    @property
    def effects(self) -> tuple[float, ...]:
        """The log ratio per token, nats."""
        return tuple(a - b for a, b in zip(self.logp_with, self.logp_without, strict=True))

    @property
    def probability_differences(self) -> tuple[float, ...]:
        """The difference of probabilities per token (NextQuill's measure, threshold 0.05)."""
        pairs = zip(self.logp_with, self.logp_without, strict=True)
        return tuple(math.exp(a) - math.exp(b) for a, b in pairs)


def score(
    estimator: Estimator,
    jobs: Sequence[Job],
    on_scored: Callable[[dict[str, TokenEffects]], None],
    *,
    max_batch_tokens: int | None = None,
) -> None:
    """Score all jobs, those with the same history together; `on_scored` gets the effects of a few items by their ids.

    Both sides of an item are handed over at once, so that whatever was handed over is complete.

    Raises: EstimatorError: a log-probability is not a finite number, or memory does not suffice for a single text.
    """
    network = estimator.network
    at_once = max_batch_tokens or max(BATCH_TOKENS, network.enough_tokens)
    # One for each side: both keep the beginning that they have read last.
    scorer_with, scorer_without = (Scorer(network, at_once) for _ in range(2))
    for portion in portions(estimator, jobs):
        without = _logprobs(scorer_without, without_history(estimator, portion))
        with_h: dict[str, list[float]] = {}
        for sides in read_together(scorer_with, estimator, portion):
            with_h |= _logprobs(scorer_with, sides)
        texts = {text.job.item.id: text for text in portion}
        on_scored({key: _effects(texts[key], with_h.get(key, alone), alone) for key, alone in without.items()})


def _logprobs(scorer: Scorer, sides: Sequence[Side]) -> dict[str, list[float]]:
    """Log-probabilities of all tokens of every text by item id."""
    scored = iter(scorer.logprobs([window for side in sides for window in side.windows]))
    return {side.text.job.item.id: [logprob for _ in side.windows for logprob in next(scored)] for side in sides}


def _effects(text: Text, with_h: list[float], without: list[float]) -> TokenEffects:
    return TokenEffects(
        starts=tuple(start for start, _ in text.spans),
        ends=tuple(end for _, end in text.spans),
        logp_with=tuple(with_h),
        logp_without=tuple(without),
        history=tuple(item.id for item in text.job.history),
    )
