"""Which earlier items stand for the person when one item is scored: the h of an effect.

Only items before it are looked at, so a new item changes no old item's effect and rebuilding costs O(new).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rank_bm25 import BM25Plus

from steering.items import PreferenceItem
from steering.prompts import history_text, tokenize_text, well_formed

ITEM_TOKENS = 150
"""Tokens of one earlier item that are shown; more items say more about a person than one long one."""

_WORD = re.compile(r"\w+")


def choose_history(
    item: PreferenceItem, earlier: Sequence[PreferenceItem], tokenizer: Any, *, budget: int
) -> tuple[PreferenceItem, ...]:
    """The earlier items most similar to `item` by BM25 (the newer one first where they tie), oldest first.

    Items are taken while their shortened texts fit `budget` tokens.
    """
    if not earlier:
        return ()
    documents = [_words(candidate) for candidate in earlier]
    scores = BM25Plus([words or [""] for words in documents]).get_scores(_words(item))
    ranked = sorted(range(len(earlier)), key=lambda i: (-scores[i], -i))
    chosen: list[int] = []
    left = budget
    for i in ranked:
        cost = min(ITEM_TOKENS, _token_count(tokenizer, earlier[i]))
        if cost <= left:
            chosen.append(i)
            left -= cost
        if left < ITEM_TOKENS // 4:
            break
    return tuple(earlier[i] for i in sorted(chosen))


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


def _token_count(tokenizer: Any, item: PreferenceItem) -> int:
    return sum(len(tokenize_text(tokenizer, well_formed(part))[0]) for part in (item.context, item.text) if part)


def _words(item: PreferenceItem) -> list[str]:
    return _WORD.findall(f"{item.context} {item.text}".casefold())
