"""Token-level causal effects: how much likelier a token of a text is because of who wrote it.

`effect_t = log p(y_t | x, h, y_<t) - log p(y_t | x, do(h = none), y_<t)` in nats, teacher forced, the same
template on both sides; h are earlier items of the same person (NextQuill, arXiv 2506.02368; SteerX, arXiv 2510.22256).
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from steering.errors import EstimatorError
from steering.estimator import Estimator
from steering.history import choose_history, history_slot
from steering.items import PreferenceItem
from steering.network import Network, ScoredText, batches
from steering.prompts import history_system, render_prompt, tokenize_text, well_formed

METHOD = "earlier-items-1"
"""Names how h is chosen and put into words; part of every effect's key."""

MAX_TEXT_TOKENS = 256
"""Tokens of a text that are scored; the rest is left out and counted."""

MAX_REQUEST_TOKENS = 256
HISTORY_TOKENS = 600


@dataclass(frozen=True, slots=True)
class EffectKey:
    """What an effect depends on; any change of it means scoring anew."""

    item_hash: str
    context_hash: str
    estimator: str
    method: str


@dataclass(frozen=True, slots=True)
class Job:
    """One item to score, with the earlier items that stand for the person."""

    item: PreferenceItem
    history: tuple[PreferenceItem, ...]

    def key(self, estimator: str) -> EffectKey:
        """What its effects are kept under."""
        return EffectKey(self.item.content_hash, self.context_hash, estimator, METHOD)

    @property
    def context_hash(self) -> str:
        """Hash of the history an effect was computed with (hex, 32 characters)."""
        joined = "\n".join(item.content_hash for item in self.history)
        return hashlib.sha256(joined.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class TokenEffects:
    """Effects of one item; all tuples have one entry a scored token.

    Attributes:
        starts, ends: the characters of the item's text that the token covers.
        logp_with, logp_without: log-probability in nats with and without h.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    logp_with: tuple[float, ...]
    logp_without: tuple[float, ...]

    @property
    def effects(self) -> tuple[float, ...]:
        """The log ratio per token, nats."""
        return tuple(a - b for a, b in zip(self.logp_with, self.logp_without, strict=True))

    @property
    def probability_differences(self) -> tuple[float, ...]:
        """The difference of probabilities per token (NextQuill's measure, threshold 0.05)."""
        pairs = zip(self.logp_with, self.logp_without, strict=True)
        return tuple(math.exp(a) - math.exp(b) for a, b in pairs)


def plan(items: Iterable[PreferenceItem], tokenizer: Any) -> list[Job]:
    """A job for every item, its history chosen among the items of a smaller order within the token budget."""
    ordered = sorted(items, key=lambda item: (item.order, item.id))
    orders = [item.order for item in ordered]
    return [
        Job(item, choose_history(item, ordered[: bisect_left(orders, item.order)], tokenizer, budget=HISTORY_TOKENS))
        for item in ordered
    ]


def score(
    estimator: Estimator,
    jobs: Sequence[Job],
    on_scored: Callable[[dict[str, TokenEffects]], None],
    *,
    max_batch_tokens: int = 4096,
) -> None:
    """Score all jobs in batches of similar length; `on_scored` gets every batch's effects by item id.

    A batch holds both sides of its items, so that whatever was handed over is complete.
    Raises: EstimatorError: a log-probability is not a finite number.
    """
    sides = [_both_sides(estimator.tokenizer, job) for job in jobs]
    longest = [with_history for with_history, _ in sides]
    for group in batches(longest, max_batch_tokens):
        with_h = _logprobs(estimator.network, [sides[i][0] for i in group], max_batch_tokens)
        without = _logprobs(estimator.network, [sides[i][1] for i in group], max_batch_tokens)
        on_scored(
            {
                jobs[i].item.id: _effects(estimator.tokenizer, jobs[i].item, a, b)
                for i, a, b in zip(group, with_h, without, strict=True)
            }
        )


def scored_tokens(tokenizer: Any, item: PreferenceItem) -> tuple[int, ...]:
    """The ids of the tokens of an item that are scored."""
    return tokenize_text(tokenizer, well_formed(item.text))[0][:MAX_TEXT_TOKENS]


def shortened_request(tokenizer: Any, request: str, limit: int = MAX_REQUEST_TOKENS) -> str:
    """The end of a long request (what is asked mostly stands last), cut at a token boundary."""
    cleaned = well_formed(request)
    _, spans = tokenize_text(tokenizer, cleaned)
    return cleaned if len(spans) <= limit else cleaned[spans[-limit][0] :]


def _both_sides(tokenizer: Any, job: Job) -> tuple[ScoredText, ScoredText]:
    text_ids = scored_tokens(tokenizer, job.item)
    request = shortened_request(tokenizer, job.item.context)
    slot = history_slot(job.history, tokenizer)
    with_h, without = (render_prompt(tokenizer, request, history_system(h)) for h in (slot, ""))
    return ScoredText(with_h if job.history else without, text_ids), ScoredText(without, text_ids)


@torch.inference_mode()
def _logprobs(network: Network, texts: Sequence[ScoredText], max_batch_tokens: int) -> list[list[float]]:
    found: list[list[float]] = [[] for _ in texts]
    for group in batches(texts, max_batch_tokens):
        batch = network.run([texts[i] for i in group])
        logprobs = network.token_logprobs(batch)
        if not torch.isfinite(logprobs).all():
            raise EstimatorError("the estimator gave log-probabilities that are no finite numbers; use another model")
        for row, i in enumerate(group):
            found[i] = logprobs[batch.owners == row].tolist()
    return found


def _effects(tokenizer: Any, item: PreferenceItem, with_h: list[float], without: list[float]) -> TokenEffects:
    _, spans = tokenize_text(tokenizer, well_formed(item.text))
    kept = spans[: len(with_h)]
    return TokenEffects(tuple(start for start, _ in kept), tuple(end for _, end in kept), tuple(with_h), tuple(without))
