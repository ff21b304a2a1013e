"""The first half of a rebuild: effects of every item, most of them cached, and replies to hold vectors against."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steering.chat_model import ChatModel
from steering.effects import TokenEffects, score, unscored_tokens
from steering.estimator import Estimator
from steering.history import EffectKey, plan
from steering.items import PreferenceItem
from steering.material import REQUEST_TOKENS
from steering.neutral import load_neutral_set
from steering.prompts import shortened_request
from steering.replies import REPLY_TOKENS, generate_replies
from steering.tuning import NeutralReplies

OnEffects = Callable[[dict[EffectKey, tuple[str, TokenEffects]]], None]
"""Gets (item id, effects) by key, as soon as they are complete: what was handed over is never scored again."""


@dataclass(frozen=True, slots=True)
class ScoredHistory:
    """Effects by item id, and how they came about.

    Attributes:
        tokens_scored, tokens_cached: computed now, and taken from the cache.
        tokens_left_out: tokens of long texts that are not scored.
        history_shown, history_left_out: earlier items that stood for the person, and that did not fit, in all.
    """

    effects: Mapping[str, TokenEffects]
    tokens_scored: int
    tokens_cached: int
    tokens_left_out: int
    history_shown: int
    history_left_out: int


def score_history(
    estimator: Estimator,
    items: Sequence[PreferenceItem],
    cached: Mapping[EffectKey, TokenEffects],
    on_effects: OnEffects,
    on_item: Callable[[int], None],
) -> ScoredHistory:
    """Effects of all items; only those whose key is not in the cache are scored."""
    jobs = plan(items, estimator.tokenizer, estimator.limits.history)
    keys = {job.item.id: job.key(estimator.fingerprint) for job in jobs}
    effects: dict[str, TokenEffects] = {}

    def keep(scored: Mapping[str, TokenEffects]) -> None:
        effects.update(scored)
        on_effects({keys[item_id]: (item_id, found) for item_id, found in scored.items()})
        on_item(len(effects))

    # What was cached is handed over again: the latest record of an item is then the one that is in use.
    keep({item_id: cached[key] for item_id, key in keys.items() if key in cached})
    tokens_cached = sum(len(found.starts) for found in effects.values())
    score(estimator, [job for job in jobs if job.item.id not in effects], keep)
    tokens = sum(len(found.starts) for found in effects.values())
    return ScoredHistory(
        effects,
        tokens_scored=tokens - tokens_cached,
        tokens_cached=tokens_cached,
        tokens_left_out=sum(unscored_tokens(estimator.tokenizer, item) for item in items),
        history_shown=sum(len(job.history) for job in jobs),
        history_left_out=sum(job.left_out for job in jobs),
    )


def neutral_replies(chat: ChatModel, known: Sequence[str], on_reply: Callable[[int], None]) -> NeutralReplies:
    """The chat model's replies to the neutral requests, generated unless they are all known."""
    requests = load_neutral_set().prompts
    replies = known if len(known) == len(requests) else generate_replies(chat, requests, on_reply=on_reply)
    return NeutralReplies(requests, tuple(replies))


def own_replies(
    chat: ChatModel, tokenizer: Any, items: Sequence[PreferenceItem], on_reply: Callable[[int], None]
) -> dict[str, str]:
    """The model's own unsteered reply by item id, for the items without a rejected or original one.

    It answers the request as vectors see it, cut to its end.
    """
    replies: dict[str, str] = {}
    for done, item in enumerate(items):
        if not item.negative:
            request = shortened_request(tokenizer, item.context, REQUEST_TOKENS)
            reply = chat.reply(request, max_tokens=REPLY_TOKENS, seed=done)
            replies[item.id] = reply if reply.strip() else "."
        on_reply(done + 1)
    return replies
