"""Token-level causal effects: how much likelier a token of a text is because of who wrote it.

`effect_t = log p(y_t | x, h, y_<t) - log p(y_t | x, do(h = none), y_<t)` in nats, teacher forced, the same
template on both sides; h are earlier items of the same person (NextQuill, arXiv 2506.02368; SteerX, arXiv 2510.22256).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from steering.effects.history import Job, history_slot
from steering.effects.scoring import Scorer
from steering.items import PreferenceItem
from steering.models.estimator import Estimator
from steering.models.limits import MAX_TEXT_TOKENS, windows
from steering.models.network import ScoredText
from steering.prompts import history_system, render_prompt, shortened_request, tokenize_text, well_formed

PORTION_TOKENS = 4096
"""Tokens of texts that are scored before their effects are handed over: what a kill costs at most. The first effects
come as soon as there are any, so that a person sees at once that something happens."""


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
    max_batch_tokens: int = 2048,
) -> None:
    """Score all jobs, those with the same history together; `on_scored` gets the effects of a few items by their ids.

    Both sides of an item are handed over at once, so that whatever was handed over is complete.

    Raises: EstimatorError: a log-probability is not a finite number, or memory does not suffice for a single text.
    """
    # One for each side: both keep the beginning that they have read last.
    scorer_with, scorer_without = (Scorer(estimator.network, max_batch_tokens) for _ in range(2))
    for portion in _portions(estimator.tokenizer, jobs):
        without = _logprobs(scorer_without, estimator, portion, "")
        with_h: dict[str, list[float]] = {}
        for group in _by_history(portion):
            slot = history_slot(group[0].history, estimator.tokenizer)
            with_h |= _logprobs(scorer_with, estimator, group, slot) if slot else {}
        on_scored(
            {
                job.item.id: _effects(estimator.tokenizer, job, with_h.get(job.item.id, alone), alone)
                for job, alone in zip(portion, without.values(), strict=True)
            }
        )


def scored_tokens(tokenizer: Any, item: PreferenceItem) -> tuple[int, ...]:
    """The ids of the tokens of an item that are scored."""
    return tokenize_text(tokenizer, well_formed(item.text))[0][:MAX_TEXT_TOKENS]


def unscored_tokens(tokenizer: Any, item: PreferenceItem) -> int:
    """How many tokens at the end of a long text are not scored."""
    return max(0, len(tokenize_text(tokenizer, well_formed(item.text))[0]) - MAX_TEXT_TOKENS)


def _by_history(jobs: Iterable[Job]) -> list[list[Job]]:
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.context_hash, []).append(job)
    return list(groups.values())


def _portions(tokenizer: Any, jobs: Iterable[Job]) -> Iterator[list[Job]]:
    """Jobs that are scored and handed over together, those of one history side by side; the first ones are small."""
    portion: list[Job] = []
    tokens, enough = 0, 1
    for job in (job for group in _by_history(jobs) for job in group):
        portion.append(job)
        tokens += len(scored_tokens(tokenizer, job.item))
        if tokens >= enough:
            yield portion
            enough = min(PORTION_TOKENS, 2 * (enough + tokens))
            portion, tokens = [], 0
    if portion:
        yield portion


def _logprobs(scorer: Scorer, estimator: Estimator, jobs: Sequence[Job], slot: str) -> dict[str, list[float]]:
    """Log-probabilities of all tokens of every job's text by item id, after a history (empty: none)."""
    cut = {job.item.id: _windows(estimator, job.item, history_system(slot)) for job in jobs}
    scored = iter(scorer.logprobs([window for of_item in cut.values() for window in of_item]))
    return {item_id: [logprob for _ in of_item for logprob in next(scored)] for item_id, of_item in cut.items()}


def _windows(estimator: Estimator, item: PreferenceItem, system: str) -> list[ScoredText]:
    limits, tokenizer = estimator.limits, estimator.tokenizer
    if not (text_ids := scored_tokens(tokenizer, item)):
        return []
    prompt = render_prompt(tokenizer, shortened_request(tokenizer, item.context, limits.request), system)
    return windows(prompt, text_ids, limits.context)


def _effects(tokenizer: Any, job: Job, with_h: list[float], without: list[float]) -> TokenEffects:
    _, spans = tokenize_text(tokenizer, well_formed(job.item.text))
    kept = spans[: len(with_h)]
    return TokenEffects(
        starts=tuple(start for start, _ in kept),
        ends=tuple(end for _, end in kept),
        logp_with=tuple(with_h),
        logp_without=tuple(without),
        history=tuple(item.id for item in job.history),
    )
