"""Which earlier items stand for the person when one item is scored: the h of an effect.

The history comes in chapters. All items of a chapter are compared with the same earlier items, the newest before it
began, so that they are read once for all of them. A chapter is about as long as everything before it: a hundred items
have some ten histories. Only items before it are looked at, so a new item changes no old item's effect and rebuilding
costs O(new). Measured against the choice of the most similar items (BM25) for each item, and against leave-one-out, it
tells a person's own items from another person's as well as either, within what chance explains.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from steering.items import PreferenceItem
from steering.prompts import history_text, tokenize_text, well_formed

METHOD = "chapters-1"
"""Names how h is chosen and put into words; part of every effect's key."""

ITEM_TOKENS = 150
"""Tokens of one earlier item that are shown; more items say more about a person than one long one."""

CHAPTER_RATE = 2
"""Chapters an item opens on average, times the number of items before it."""


@dataclass(frozen=True, slots=True)
class EffectKey:
    """What an effect depends on; any change of it means scoring anew."""

    item_hash: str
    context_hash: str
    estimator: str
    method: str


@dataclass(frozen=True, slots=True)
class Job:
    """One item to score, with the earlier items that stand for the person; `left_out` more do not."""

    item: PreferenceItem
    history: tuple[PreferenceItem, ...]
    left_out: int

    def key(self, estimator: str) -> EffectKey:
        """What its effects are kept under."""
        return EffectKey(self.item.scored_hash, self.context_hash, estimator, METHOD)

    @property
    def context_hash(self) -> str:
        """Hash of the history an effect was computed with (hex, 32 characters)."""
        joined = "\n".join(item.scored_hash for item in self.history)
        return hashlib.sha256(joined.encode()).hexdigest()[:32]


def plan(items: Iterable[PreferenceItem], tokenizer: Any, budget: int) -> list[Job]:
    """A job for every item, oldest first; its history are items of a smaller order that fit `budget` tokens."""
    jobs: list[Job] = []
    earlier: list[PreferenceItem] = []
    history: tuple[PreferenceItem, ...] = ()
    ordered = sorted(items, key=lambda item: (item.order, item.id))
    for _, of_one_moment in groupby(ordered, key=lambda item: item.order):
        known = len(earlier)
        for item in of_one_moment:
            if opens_chapter(item, known):
                history = _newest(earlier[:known], tokenizer, budget)
            jobs.append(Job(item, history, known - len(history)))
            earlier.append(item)
    return jobs


def opens_chapter(item: PreferenceItem, known: int) -> bool:
    """Whether the history is chosen anew before an item with so many earlier ones: always at first, ever rarer later.

    The item's own hash decides, with a chance of CHAPTER_RATE / known: taking out another item does not move it.
    """
    return int(item.scored_hash[:8], 16) * known < CHAPTER_RATE * 2**32


def _newest(earlier: Sequence[PreferenceItem], tokenizer: Any, budget: int) -> tuple[PreferenceItem, ...]:
    """The newest items whose shortened texts fit the budget, oldest first."""
    chosen: list[PreferenceItem] = []
    for item in reversed(earlier):
        budget -= _tokens_shown(tokenizer, item)
        if budget < 0:
            break
        chosen.append(item)
    return tuple(reversed(chosen))


def history_slot(history: Sequence[PreferenceItem], tokenizer: Any) -> str:
    """The text of h in the prompt: every item shortened to its first tokens, request and answer sharing them."""
    return history_text(
        [
            (_head(tokenizer, i.context, ITEM_TOKENS // 3), _head(tokenizer, i.text, _room(tokenizer, i)))
            for i in history
        ]
    )


def _room(tokenizer: Any, item: PreferenceItem) -> int:
    asked = len(tokenize_text(tokenizer, well_formed(item.context))[0]) if item.context else 0
    return ITEM_TOKENS - min(asked, ITEM_TOKENS // 3)


def _head(tokenizer: Any, text: str, tokens: int) -> str:
    cleaned = well_formed(text)
    _, spans = tokenize_text(tokenizer, cleaned)
    return cleaned if len(spans) <= tokens else cleaned[: spans[tokens - 1][1]]


def _tokens_shown(tokenizer: Any, item: PreferenceItem) -> int:
    parts = (tokenize_text(tokenizer, well_formed(part))[0] for part in (item.context, item.text) if part)
    return min(ITEM_TOKENS, sum(map(len, parts)))
