"""What comes out of a rebuild: figures, phrases, description; the vector itself travels as a GGUF file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Form = Literal["none", "vector", "description", "both"]
"""What a profile puts into a chat: nothing, the control vector, the description in the system prompt, or both."""


PIPELINE_VERSION = 14
"""Goes up whenever the same items would give another profile."""

Measure = Literal["ratio", "difference"]
"""Of an effect: the log ratio favours rare tokens, the difference of probabilities common ones."""

PREFERENCE_THRESHOLD: dict[Measure, float] = {"ratio": 0.5, "difference": 0.05}
"""From which a token counts as preference-driven: nats (METHOD: 9 % of personal tokens, 0.8 % of impersonal ones), and
a difference of probabilities (NextQuill, arXiv 2506.02368)."""


@dataclass(frozen=True, slots=True)
class Span:
    """One scored token of an item: characters `start:end` of its text and what the person does there.

    Attributes:
        effect: the log ratio in nats.
        difference: the difference of probabilities.
    """

    start: int
    end: int
    effect: float
    difference: float

    def by(self, measure: Measure) -> float:
        """The effect in one of its measures."""
        return self.effect if measure == "ratio" else self.difference


@dataclass(frozen=True, slots=True)
class Phrase:
    """A preference-driven word or phrase.

    Attributes:
        text: as the person wrote it (most frequent spelling).
        effect: sum of its tokens' effects over the whole history, in nats.
        count: how often it occurs, with an effect or without.
        item_ids: the items that it occurs in, the one with the largest effect first.
    """

    text: str
    effect: float
    count: int
    item_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An item that was not learned from, and why."""

    item_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Influence:
    """How much the vector hangs on one item.

    Attributes:
        moved: distance between the vectors with and without it, both at unit length (0 to 2).
        share: of what all items moved, 0 to 1; equal items have 1 / items each.
    """

    item_id: str
    moved: float
    share: float


MAX_KL = 0.3
"""Harm budget: nats, mean over the tokens of the model's own neutral replies."""
MAX_NLL_RISE = 0.05
"""Harm budget: nats/token on neutral texts."""
MAX_ACCURACY_DROP = 2.0
"""Harm budget: percentage points."""
MAX_REPLY_CHANGE = 0.10
"""Harm budget: rise of repetition and change of length of generated replies, relative to unsteered."""


@dataclass(frozen=True, slots=True)
class Harm:
    """What the profile does to texts that are none of the person's business, steered minus unsteered.

    Attributes:
        kl: mean KL(unsteered || steered) per token on the model's own neutral replies, nats.
        nll_rise: rise of the NLL on neutral texts, nats/token.
        accuracy_drop: fall of multiple choice accuracy, answers drawn by their likelihood, percentage points.
        repetition_rise: rise of the share of 4-grams already seen in the same reply, relative to unsteered.
        length_change: change of the mean reply length, relative to unsteered.
        credible_repetition_rise, credible_length_change: the part of the two that neither chance among the few dozen
            sampled replies nor a length that the description asks for explains; held against the limits of the budget.
    """

    kl: float
    nll_rise: float
    accuracy_drop: float
    repetition_rise: float
    length_change: float
    credible_repetition_rise: float
    credible_length_change: float


@dataclass(frozen=True, slots=True)
class StrengthPoint:
    """Gain and KL measured at one strength (1 = calibrated dose)."""

    strength: float
    gain: float
    kl: float


@dataclass(frozen=True, slots=True)
class KeptVector:
    """A vector that the next rebuild may use again: direction [width] by block; `key` names how it was learned."""

    key: str
    directions: dict[int, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything a rebuild found, as shown to the person and printed by `assistant rebuild --json`.

    NLL and gain are in nats/token on the held-back items, which chose nothing; `gain_interval` is a 95 % interval
    over those items (see `steering.calibration.heldout`). `gain_random` is what a random vector of the same dose
    gives there, `gain_other` one that was learned alike from another author's texts. `layers` are the 0-based blocks
    whose output is steered. `tokens_left_out` are tokens of long texts that were not scored; `history_shown` and
    `history_left_out` are earlier items that stood for the person and those that did not, summed over all items.
    `limitation` says where the machine allowed less than the best method. `positions` says where the vector is added:
    everywhere, or at generated tokens only, prompts being read without it. `influence` is what each item did to the
    vector, the most first; items that it was not learned from, or that changed nothing, are not in it.
    `tokens_unlearned` are scored, and so count for phrases, but stand too far down their texts for the vector to learn
    from. `held_back_liked`: replies that the person liked judge too, as there are too few texts in their own words.
    `passages_left_out`, of `words_left_out` words, are places in the texts that are not the person's own (see
    `steering.own_text`).
    """

    items: int
    held_back: int
    left_out: tuple[LeftOut, ...]
    tokens_scored: int
    tokens_cached: int
    preference_tokens: int
    phrases: tuple[Phrase, ...]
    description: str
    description_gain: float
    form: Form
    method: str
    layers: tuple[int, ...]
    dose: float
    nll_unsteered: float
    nll_steered: float
    gain_nats_per_token: float
    gain_interval: tuple[float, float]
    gain_random: float
    harm: Harm
    kl_neutral: float
    curve: tuple[StrengthPoint, ...]
    safe_strength: float
    recommended: bool
    reason: str
    seconds: dict[str, float]
    tokens_left_out: int = 0
    history_shown: int = 0
    history_left_out: int = 0
    gain_other: float = 0.0
    limitation: str = ""
    positions: Literal["all", "generated"] = "all"
    influence: tuple[Influence, ...] = ()
    passages_left_out: int = 0
    words_left_out: int = 0
    tokens_unlearned: int = 0
    held_back_liked: bool = False
