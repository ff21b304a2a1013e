"""What is read of items to score them: their texts, after a history and without, as many at a time as is fast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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


@dataclass(frozen=True, slots=True)
class Text:
    """An item to score, tokenized: its scored tokens, the characters that each covers, and its request."""

    job: Job
    ids: tuple[int, ...]
    spans: tuple[tuple[int, int], ...]
    request: str


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a text's effects: what is read, with history or without."""

    text: Text
    windows: Sequence[ScoredText]


def scored_tokens(tokenizer: Any, item: PreferenceItem) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """The ids of the tokens of an item that are scored, and the characters `start:end` that each covers."""
    ids, spans = tokenize_text(tokenizer, well_formed(item.text))
    return ids[:MAX_TEXT_TOKENS], spans[:MAX_TEXT_TOKENS]


def unscored_tokens(tokenizer: Any, item: PreferenceItem) -> int:
    """How many tokens at the end of a long text are not scored."""
    return max(0, len(tokenize_text(tokenizer, well_formed(item.text))[0]) - MAX_TEXT_TOKENS)


def portions(estimator: Estimator, jobs: Iterable[Job]) -> Iterator[list[Text]]:
    """Texts that are scored and handed over together, those of one history side by side."""
    network = estimator.network
    most = max(PORTION_TOKENS, network.enough_tokens)
    enough = 1 if network.device.type == "cpu" else network.enough_tokens
    portion: list[Text] = []
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


def without_history(estimator: Estimator, portion: Iterable[Text]) -> list[Side]:
    """The sides without a history."""
    return [Side(text, _windows(estimator, text, "")) for text in portion]


def read_together(scorer: Scorer, estimator: Estimator, portion: Iterable[Text]) -> Iterator[list[Side]]:
    """The sides with a history: those of the same one by themselves, where that is faster."""
    others: list[Side] = []
    for _, texts in groupby(portion, key=lambda text: text.job.context_hash):
        group = list(texts)
        slot = history_slot(group[0].job.history, estimator.tokenizer)
        sides = [Side(text, _windows(estimator, text, slot)) for text in group] if slot else []
        if scorer.shares([window for side in sides for window in side.windows]):
            yield sides
        else:
            others += sides
    yield others


def _tokenized(estimator: Estimator, job: Job) -> Text:
    request = shortened_request(estimator.tokenizer, job.item.context, estimator.limits.request)
    return Text(job, *scored_tokens(estimator.tokenizer, job.item), request)


def _by_history(jobs: Iterable[Job]) -> list[list[Job]]:
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.context_hash, []).append(job)
    return list(groups.values())


def _windows(estimator: Estimator, text: Text, slot: str) -> list[ScoredText]:
    """What is read of a text after a history (empty: none)."""
    if not text.ids:
        return []
    prompt = render_prompt(estimator.tokenizer, text.request, history_system(slot))
    return windows(prompt, text.ids, estimator.limits.context)
