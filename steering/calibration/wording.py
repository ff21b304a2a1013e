"""Which description a profile has: the candidates compete on texts that they were not made from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from steering.calibration.heldout import HeldOut
from steering.calibration.split import Split
from steering.description import template_description, written_description
from steering.items import PreferenceItem
from steering.material import scored_text
from steering.models.chat_model import ChatModel
from steering.models.estimator import Estimator
from steering.profile import Phrase
from steering.prompts import description_system


@dataclass(frozen=True, slots=True)
class Descriptions:
    """One description, made from ever more texts, so that it is neither chosen nor judged by what it was made from.

    Attributes:
        choosing: of the texts that make what is compared.
        judging: of all texts but those that are held back.
        shipped: of all texts; what the profile has.
    """

    choosing: str
    judging: str
    shipped: str


def best_description(
    estimator: Estimator,
    chat: ChatModel,
    split: Split,
    phrases_of: Callable[[Sequence[PreferenceItem]], Sequence[Phrase]],
    vetoed: Collection[str] = (),
) -> Descriptions:
    """What the chat model writes, or the template: whichever, made from `fit`, helps more on `tune`.

    The template is then made anew from more texts; what the model wrote once is what it is.
    """
    phrases = phrases_of(split.fit)
    template = template_description(split.fit, phrases)
    written = written_description(chat, split.fit, phrases, vetoed)
    gains = description_gains(estimator, split.tune, [text for text in (template, written) if text])
    if max(gains, key=gains.__getitem__) == written:
        return Descriptions(written, written, written)
    judging, shipped = (
        template_description(items, phrases_of(items)) for items in (split.development, split.learnable)
    )
    return Descriptions(template, judging, shipped)


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
