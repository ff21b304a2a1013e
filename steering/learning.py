"""The first half of a rebuild: effects of every item, most of them cached, and replies to hold vectors against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steering.calibration.replies import JUDGED_TOKENS, REPLY_TOKENS
from steering.calibration.tuning import CHOOSING_REPLIES, NeutralReplies
from steering.effects.history import EffectKey, plan
from steering.effects.reading import unscored_tokens
from steering.effects.token_effects import TokenEffects, score
from steering.items import PreferenceItem
from steering.material import REQUEST_TOKENS
from steering.models.chat_model import ChatModel
from steering.models.estimator import Estimator
from steering.neutral import load_neutral_set
from steering.prompts import shortened_request

HANDED_OVER_AT_ONCE = 64
"""Cached effects in one message: a message has a limit, a history has none."""

OnEffects = Callable[[dict[EffectKey, tuple[str, TokenEffects]]], None]
"""Gets (item id, effects) by key, as soon as they are complete: what was handed over is never scored again."""


@dataclass(frozen=True, slots=True)
class ScoredHistory:
    """Effects by item id, and how they came about.

    Attributes:
        tokens_scored, tokens_cached: computed now, and taken from the cache.
        tokens_left_out: tokens of long texts that are not scored.
        history_shown, history_left_out: earlier items that stood for the person, and that did not, in all.
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
    effects = {item_id: cached[key] for item_id, key in keys.items() if key in cached}
    tokens_cached = sum(len(found.starts) for found in effects.values())

    def hand_over(found: Mapping[str, TokenEffects]) -> None:
        on_effects({keys[item_id]: (item_id, effects_of) for item_id, effects_of in found.items()})

    def keep(scored: Mapping[str, TokenEffects]) -> None:
        effects.update(scored)
        hand_over(scored)
        on_item(len(effects))

    on_item(len(effects))
    # The latest record of an item is the one in use: of several that are cached, the right one is handed over again.
    records = Counter(key.item_hash for key in cached)
    again = [item_id for item_id in effects if records[keys[item_id].item_hash] > 1]
    for start in range(0, len(again), HANDED_OVER_AT_ONCE):
        hand_over({item_id: effects[item_id] for item_id in again[start : start + HANDED_OVER_AT_ONCE]})
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


def neutral_replies(
    chat: ChatModel, known: Sequence[str], on_reply: Callable[[int], None], *, few: bool = False
) -> NeutralReplies:
    """The chat model's replies to the neutral requests, generated unless they are all known.

    `few`: those that candidates are compared on, and none that the harm is judged on.
    """
    prompts = load_neutral_set().prompts
    choosing, judging = prompts[:CHOOSING_REPLIES], () if few else prompts[CHOOSING_REPLIES:]
    requests = (*choosing, *judging)
    if len(known) >= len(requests):
        return NeutralReplies(requests, tuple(known[: len(requests)]))
    # Without those that are judged by, nothing looks at how replies end.
    replies = chat.replies(choosing, max_tokens=REPLY_TOKENS if few else JUDGED_TOKENS, on_reply=on_reply)
    if judging:
        # By themselves, as the steered ones will be: a reply is drawn by its place among those asked together.
        replies += chat.replies(judging, max_tokens=JUDGED_TOKENS, on_reply=lambda n: on_reply(len(choosing) + n))
    return NeutralReplies(requests, tuple(replies))


def own_replies(
    chat: ChatModel, tokenizer: Any, items: Sequence[PreferenceItem], on_reply: Callable[[int], None]
) -> dict[str, str]:
    """The model's own unsteered reply by item id, for the items without a rejected or original one.

    It answers the request as vectors see it, cut to its end.
    """
    asked = [item for item in items if not item.negative]
    requests = [shortened_request(tokenizer, item.context, REQUEST_TOKENS) for item in asked]
    given = len(items) - len(asked)
    replies = chat.replies(requests, max_tokens=REPLY_TOKENS, on_reply=lambda done: on_reply(given + done))
    return {item.id: reply if reply.strip() else "." for item, reply in zip(asked, replies, strict=True)}
