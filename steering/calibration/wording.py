"""Which description a profile has: the candidates compete on texts that they were not written from."""

from __future__ import annotations

from collections.abc import Sequence

from steering.calibration.heldout import HeldOut
from steering.description import template_description, written_description
from steering.items import PreferenceItem
from steering.material import scored_text
from steering.models.chat_model import ChatModel
from steering.models.estimator import Estimator
from steering.profile import Phrase
from steering.prompts import description_system


def best_description(
    estimator: Estimator,
    chat: ChatModel,
    phrases: Sequence[Phrase],
    items: Sequence[PreferenceItem],
    fit: Sequence[PreferenceItem],
    tune: Sequence[PreferenceItem],
) -> str:
    """The one that the chat model writes from `fit`, or the template of all `items`: whichever helps more on `tune`."""
    written = written_description(chat, fit, phrases)
    candidates = [text for text in (template_description(items, phrases), written) if text]
    gains = description_gains(estimator, tune, candidates)
    return max(candidates, key=gains.__getitem__)


def description_gains(
    estimator: Estimator, tune: Sequence[PreferenceItem], descriptions: Sequence[str]
) -> dict[str, float]:
    """Gain of each description in the system prompt on the tuning items, without any vector, nats/token."""
    network, tokenizer = estimator.network, estimator.tokenizer
    last = len(network.blocks) - 1
    unsteered = HeldOut(network, [scored_text(tokenizer, item) for item in tune], last).nll()
    gains = {}
    for description in descriptions:
        system = description_system(description)
        held = HeldOut(network, [scored_text(tokenizer, item, system) for item in tune], last)
        gains[description] = held.nll().gain_over(unsteered)
    return gains
