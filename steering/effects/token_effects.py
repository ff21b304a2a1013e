"""Token-level causal effects: how much likelier a token of a text is because of who wrote it.

`effect_t = log p(y_t | x, h, y_<t) - log p(y_t | x, do(h = none), y_<t)` in nats, teacher forced, the same
template on both sides; h are earlier items of the same person (NextQuill, arXiv 2506.02368; SteerX, arXiv 2510.22256).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from steering.effects.history import Job, history_slot
from steering.effects.scoring import Scorer
from steering.items import PreferenceItem
from steering.models.batches import ScoredText
from steering.models.estimator import Estimator
from steering.models.limits import MAX_TEXT_TOKENS, windows
from steering.prompts import history_system, render_prompt, shortened_request, tokenize_text, well_formed

PORTION_TOKENS = 4096
"""Tokens of texts that are scored before their effects are handed over: what a kill costs at most, or more where a GPU
takes as long for fewer. On a CPU the first effects come as soon as there are any, so that a person sees at once that
something happens."""
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
    for portion in _portions(estimator, jobs):
        without = _logprobs(scorer_without, [_Side(text, _windows(estimator, text, "")) for text in portion])
        with_h: dict[str, list[float]] = {}
        for sides in _read_together(scorer_with, estimator, portion):
            with_h |= _logprobs(scorer_with, sides)
        ids = {text.job.item.id: text for text in portion}
        on_scored(
            {item_id: _effects(ids[item_id], with_h.get(item_id, alone), alone) for item_id, alone in without.items()}
        )


def scored_tokens(tokenizer: Any, item: PreferenceItem) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """The ids of the tokens of an item that are scored, and the characters `start:end` that each covers."""
    ids, spans = tokenize_text(tokenizer, well_formed(item.text))
    return ids[:MAX_TEXT_TOKENS], spans[:MAX_TEXT_TOKENS]


def unscored_tokens(tokenizer: Any, item: PreferenceItem) -> int:
    """How many tokens at the end of a long text are not scored."""
    return max(0, len(tokenize_text(tokenizer, well_formed(item.text))[0]) - MAX_TEXT_TOKENS)


@dataclass(frozen=True, slots=True)
class _Text:
    """An item to score, tokenized: its scored tokens, the characters that each covers, and its request."""

    job: Job
    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    request: str


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a text's effects: what is read, with history or without."""

    text: _Text
    windows: Sequence[ScoredText]


def _tokenized(estimator: Estimator, job: Job) -> _Text:
    request = shortened_request(estimator.tokenizer, job.item.context, estimator.limits.request)
    return _Text(job, *scored_tokens(estimator.tokenizer, job.item), request)


def _by_history(jobs: Iterable[Job]) -> list[list[Job]]:
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.context_hash, []).append(job)
    return list(groups.values())


def _portions(estimator: Estimator, jobs: Iterable[Job]) -> Iterator[list[_Text]]:
    """Texts that are scored and handed over together, those of one history side by side."""
    network = estimator.network
    most = max(PORTION_TOKENS, network.enough_tokens)
    enough = 1 if network.device.type == "cpu" else network.enough_tokens
    portion: list[_Text] = []
    tokens = 0
    for job in (job for group in _by_history(jobs) for job in group):
        portion.append(_tokenized(estimator, job))
        tokens += len(portion[-1].ids)
        if tokens >= enough:
            yield portion
            enough = min(most, 2 * (enough + tokens))
            portion, tokens = [], 0
    if portion:
        yield portion


def _read_together(scorer: Scorer, estimator: Estimator, portion: Iterable[_Text]) -> Iterator[list[_Side]]:
    """The sides with a history: those of the same one by themselves, where that is faster."""
    others: list[_Side] = []
    for _, texts in groupby(portion, key=lambda text: text.job.context_hash):
        group = list(texts)
        slot = history_slot(group[0].job.history, estimator.tokenizer)
        sides = [_Side(text, _windows(estimator, text, slot)) for text in group] if slot else []
        if scorer.shares([window for side in sides for window in side.windows]):
            yield sides
        else:
            others += sides
    yield others


def _logprobs(scorer: Scorer, sides: Sequence[_Side]) -> dict[str, list[float]]:
    """Log-probabilities of all tokens of every text by item id."""
    scored = iter(scorer.logprobs([window for side in sides for window in side.windows]))
    return {side.text.job.item.id: [logprob for _ in side.windows for logprob in next(scored)] for side in sides}


def _windows(estimator: Estimator, text: _Text, slot: str) -> list[ScoredText]:
    """What is read of a text after a history (empty: none)."""
    if not text.ids:
        return []
    prompt = render_prompt(estimator.tokenizer, text.request, history_system(slot))
    return windows(prompt, text.ids, estimator.limits.context)


def _effects(text: _Text, with_h: list[float], without: list[float]) -> TokenEffects:
    return TokenEffects(
        starts=tuple(start for start, _ in text.spans),
        ends=tuple(end for _, end in text.spans),
        logp_with=tuple(with_h),
        logp_without=tuple(without),
        history=tuple(item.id for item in text.job.history),
    )
