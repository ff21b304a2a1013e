"""What is chosen on the tuning items: the candidate, and the form of the profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steering.backbones import CHOOSING, Backbone
from steering.backbones.base import Example
from steering.calibration.candidates import KEPT_GAIN, Calibration, Candidate, best, candidate_blocks
from steering.calibration.endings import NOT_KEPT, Endings, measured_endings
from steering.calibration.harm import NeutralKl, reply_text
from steering.calibration.heldout import HeldOut, Nll
from steering.calibration.replies import JUDGED_TOKENS, REPLY_TOKENS
from steering.items import PreferenceItem
from steering.material import scored_text
from steering.models.batches import ScoredText
from steering.models.estimator import Estimator
from steering.models.language_model import LanguageModel
from steering.models.network import Directions, Network
from steering.profile import MAX_KL, Form
from steering.prompts import description_system, end_of_turn

DESCRIPTION_MUST_GAIN = 0.01
"""Nats/token that a description must gain on the tuning items to stand alone."""
CHOOSING_REPLIES = 16
"""Neutral replies that candidates are compared on; what is chosen is judged on the others."""


@dataclass(frozen=True, slots=True)
class NeutralReplies:
    """The chat model's own unsteered replies to neutral requests."""

    requests: tuple[str, ...]
    replies: tuple[str, ...]

    def choosing(self) -> NeutralReplies:
        """The part that candidates are compared on."""
        return NeutralReplies(self.requests[:CHOOSING_REPLIES], self.replies[:CHOOSING_REPLIES])

    def judging(self) -> NeutralReplies:
        """The part that harm is measured on."""
        return NeutralReplies(self.requests[CHOOSING_REPLIES:], self.replies[CHOOSING_REPLIES:])

    def scored(self, tokenizer: Any, system: str | Callable[[str], str] = "") -> list[ScoredText]:
        """The beginnings of the replies, REPLY_TOKENS at most, after their requests; those with at least one token.

        `system` is one prompt for all, or what gives a request its own.
        """
        said = system if callable(system) else lambda _: system
        texts = [reply_text(tokenizer, request, reply, said(request)) for request, reply in self._pairs()]
        return [ScoredText(text.prompt_ids, text.text_ids[:REPLY_TOKENS]) for text in texts]

    def to_their_ends(self, tokenizer: Any, end: int) -> list[ScoredText]:
        """The whole replies after their requests, with `end` after those that were not cut at JUDGED_TOKENS."""
        texts = [reply_text(tokenizer, request, reply) for request, reply in self._pairs()]
        return [
            ScoredText(text.prompt_ids, text.text_ids if len(text.text_ids) >= JUDGED_TOKENS else (*text.text_ids, end))
            for text in texts
        ]

    def _pairs(self) -> list[tuple[str, str]]:
        return [pair for pair in zip(self.requests, self.replies, strict=True) if pair[1].strip()]


@dataclass(frozen=True, slots=True)
class Choice:
    """The settings that the rest of the rebuild keeps, the neutral KL in the chosen blocks that doses went by, and what
    ends replies."""

    candidate: Candidate
    form: Form
    neutral_kl: NeutralKl
    endings: Endings


def choose_settings(
    estimator: Estimator,
    examples: Sequence[Example],
    tune: Sequence[PreferenceItem],
    neutral: NeutralReplies,
    description: str,
    on_candidate: Callable[[int], None],
    *,
    own_words: bool = False,
) -> Choice:
    """Method, block and dose by the gain at equal KL; then vector, description, both or none by the gain in all.

    With `own_words` the description is the person's and stands in every prompt, so only forms with it are measured.
    """
    network, tokenizer = estimator.network, estimator.tokenizer
    texts = [scored_text(tokenizer, item) for item in tune]
    replies = neutral.choosing().scored(tokenizer)
    endings = _endings(estimator, neutral.choosing())
    calibration = Calibration(network, texts, replies, endings)
    candidates: list[Candidate] = []
    for candidate in calibration.candidates(_tried(network), examples):
        candidates.append(candidate)
        on_candidate(len(candidates))
    compared = best(candidates)
    alone = calibration.with_best_dose(compared)
    # The description has a KL of its own: beside it no more than COMPARE_KL, or both together reach the budget's edge.
    beside = min(alone, compared, key=lambda candidate: candidate.kl)
    kl = calibration.neutral_kl(beside.blocks)
    described = _gains_with_description(estimator, beside, tune, neutral, description, calibration.unsteered, kl)
    if own_words and description:
        form: Form = "both" if described["both"].gain > described["description"].gain else "description"
        return Choice(beside, form, kl, endings)
    form = choose_form(alone.gain, described)
    return Choice(beside if form == "both" else alone, form, kl, endings)


def candidate_count(network: LanguageModel) -> int:
    """How many candidates `choose_settings` tries."""
    return len(candidate_blocks(len(network.blocks))) + len(_tried(network)) - 1


def _tried(network: LanguageModel) -> dict[str, Backbone]:
    return {name: b for name, b in CHOOSING.items() if network.gives_gradients or not b.needs_gradients}


@dataclass(frozen=True, slots=True)
class Described:
    """A form with the description: gain on the tuning items in nats/token, KL on the neutral replies in nats."""

    gain: float
    kl: float


def choose_form(vector_gain: float, described: Mapping[Form, Described]) -> Form:
    """The form that shows most of the person among those that keep the gain within the KL budget.

    Measured on replies: vector and description together are taken for the person's own half again as often as the
    vector alone, and that more often than the description alone.
    """
    gains: dict[Form, float] = {"both": 0.0, "vector": vector_gain, "description": 0.0}
    gains |= {form: found.gain for form, found in described.items() if found.kl <= MAX_KL}
    if gains["description"] <= DESCRIPTION_MUST_GAIN:
        gains["description"] = 0.0
    found = max(gains.values())
    return next(form for form, gain in gains.items() if gain >= KEPT_GAIN * found) if found > 0 else "none"


def _endings(estimator: Estimator, neutral: NeutralReplies) -> Endings:
    """In all blocks that are tried."""
    network, end = estimator.network, end_of_turn(estimator.tokenizer)
    if not isinstance(network, Network) or end is None:
        return NOT_KEPT
    blocks = sorted({block for tried in candidate_blocks(len(network.blocks)) for block in tried})
    return measured_endings(network, neutral.to_their_ends(estimator.tokenizer, end), end, blocks)


def _gains_with_description(
    estimator: Estimator,
    candidate: Candidate,
    tune: Sequence[PreferenceItem],
    neutral: NeutralReplies,
    description: str,
    unsteered: Nll,
    plain_kl: NeutralKl,
) -> dict[Form, Described]:
    """The description alone, then with the vector."""
    if not description:
        return {}
    network, tokenizer = estimator.network, estimator.tokenizer
    system = description_system(description)
    held = HeldOut(network, [scored_text(tokenizer, item, system) for item in tune], min(candidate.blocks))
    kl = plain_kl.after(neutral.choosing().scored(tokenizer, system))
    forms: tuple[tuple[Form, Directions], ...] = (("description", {}), ("both", candidate.directions()))
    return {form: Described(held.nll(directions).gain_over(unsteered), kl(directions)) for form, directions in forms}
