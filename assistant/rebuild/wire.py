"""Effects between the science's form and the one that travels between processes."""

from __future__ import annotations

from assistant.rebuild.protocol import Effect
from steering.effects.history import EffectKey
from steering.effects.token_effects import TokenEffects


def as_effect(key: EffectKey, item_id: str, found: TokenEffects) -> Effect:
    """Effects as they travel."""
    return Effect(
        item_id,
        key.item_hash,
        key.context_hash,
        key.estimator,
        key.method,
        found.starts,
        found.ends,
        found.logp_with,
        found.logp_without,
        found.history,
    )


def as_token_effects(effect: Effect) -> TokenEffects:
    """Effects as they came."""
    return TokenEffects(effect.starts, effect.ends, effect.logp_with, effect.logp_without, effect.history)
