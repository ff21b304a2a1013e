"""Items as the token sequences that vectors are made from and measured on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from steering.backbones.base import Example
from steering.effects.selection import token_weights, without_vetoed
from steering.effects.token_effects import TokenEffects
from steering.errors import TooFewItemsError
from steering.items import PreferenceItem
from steering.models.batches import ScoredText
from steering.models.limits import MAX_TEXT_TOKENS
from steering.prompts import render_prompt, shortened_request, tokenize_text, well_formed

REQUEST_TOKENS = 64
"""Tokens of a request that a vector is learned with: its end."""
LEARNED_TOKENS = 160
"""Tokens of a text that a vector learns from and is measured on."""

assert LEARNED_TOKENS <= MAX_TEXT_TOKENS, "a weight needs an effect"


def scored_text(tokenizer: Any, item: PreferenceItem, system: str = "") -> ScoredText:
    """An item after its request, as the chat model would have to write it."""
    return _after_request(tokenizer, item, item.text, system)


def examples(
    tokenizer: Any,
    items: Sequence[PreferenceItem],
    effects: Mapping[str, TokenEffects],
    negatives: Mapping[str, str],
    vetoed: Sequence[str] = (),
    system: Callable[[PreferenceItem], str] = lambda _: "",
) -> list[Example]:
    """Items with SteerX weights; `negatives` are replies by item id (an item's own negative goes first).

    `system` gives the system prompt that a prompt contrast compares with; empty for none. Items whose every token is
    vetoed teach nothing and are dropped.

    Raises: TooFewItemsError: that leaves none.
    """
    made = []
    for item in items:
        text = scored_text(tokenizer, item)
        found = effects[item.id]
        weights = without_vetoed(item.text, found, token_weights(found.effects), vetoed)[: len(text.text_ids)]
        reply = item.negative or negatives.get(item.id)
        negative = _after_request(tokenizer, item, reply, "") if reply else None
        said = system(item)
        described = scored_text(tokenizer, item, said) if said else None
        if any(weights):
            made.append(Example(text, tuple(weights), negative, described, item.id))
    if not made:
        raise TooFewItemsError("your vetoes leave no word to learn from; take one back in the settings")
    return made


def _after_request(tokenizer: Any, item: PreferenceItem, reply: str, system: str) -> ScoredText:
    request = shortened_request(tokenizer, item.context, REQUEST_TOKENS)
    ids, _ = tokenize_text(tokenizer, well_formed(reply))
    return ScoredText(render_prompt(tokenizer, request, system), ids[:LEARNED_TOKENS])
