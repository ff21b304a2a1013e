"""The second half of a rebuild: the vector that ships, its harm within the budget, and the gain on held-back items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from steering.backbones import BACKBONES
from steering.backbones.base import Example
from steering.calibration import Candidate, dose_for_kl, fit_candidate, within_budget
from steering.chat_model import ChatModel
from steering.control_vector import ControlVector
from steering.estimator import Estimator
from steering.harm import MAX_KL, MAX_NLL_RISE, NeutralHarm, NeutralKl, TeacherForcedHarm
from steering.heldout import HeldOut
from steering.items import PreferenceItem
from steering.material import scored_text
from steering.neutral import load_neutral_set
from steering.profile import StrengthPoint
from steering.replies import ReplyChange, compare_replies, generate_replies
from steering.tuning import CHOICE_REPLIES, Choice, NeutralReplies

CHECKED_REPLIES = 24
"""Neutral replies that are generated with the vector."""
STRENGTHS = (0.5, 1.0, 1.5, 2.0)
"""Where the curve of gain against strength is measured; the slider goes from 0 to 2."""
_TRIES = 3
_STEP = 0.85
_RANDOM_DRAWS = 2


@dataclass(frozen=True, slots=True)
class Shipped:
    """The vector made from all items, and its harm."""

    candidate: Candidate
    harm: TeacherForcedHarm
    replies: ReplyChange
    safe_strength: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Gain on the held-back items of a vector that has not seen them, at the KL of the shipped one."""

    nll_unsteered: float
    nll_steered: float
    gain: float
    interval: tuple[float, float]
    gain_random: float
    description_gain: float
    curve: tuple[StrengthPoint, ...]


class Finisher:
    """What both stages share: the settings that were chosen and the neutral material at the chosen block."""

    def __init__(self, estimator: Estimator, choice: Choice, neutral: NeutralReplies, system: str) -> None:
        """`system` is the description's system prompt where the form uses it, else empty."""
        self._estimator = estimator
        self._choice = choice
        self._neutral = neutral
        self._system = system
        self._block = choice.candidate.block
        self._uses_vector = choice.form in ("vector", "both")
        network, tokenizer = estimator.network, estimator.tokenizer
        steered = neutral.scored(tokenizer, system) if system else None
        known = load_neutral_set()
        self._kl = NeutralKl(network, neutral.scored(tokenizer), self._block, steered)
        self._harm = NeutralHarm(
            network, tokenizer, self._block, kl=self._kl, texts=known.texts, questions=known.questions
        )

    def ship(self, examples: Sequence[Example]) -> tuple[Candidate, TeacherForcedHarm]:
        """The vector of all examples at the chosen KL, its dose lowered where the harm budget asks for it."""
        if not self._uses_vector:
            nothing = self._choice.candidate.at_dose(0.0, 0.0)
            return nothing, self._harm.measure({})
        network = self._estimator.network
        few = NeutralKl(network, self._neutral.scored(self._estimator.tokenizer, limit=CHOICE_REPLIES), self._block)
        target = few(self._choice.candidate.directions())
        method = self._choice.candidate.method
        fitted = fit_candidate(network, method, BACKBONES[method], examples, self._block)
        return within_budget(fitted.at_dose(dose_for_kl(fitted, few, target), 0.0), self._harm)

    def check_replies(
        self, chat: ChatModel, candidate: Candidate, harm: TeacherForcedHarm, on_reply: Callable[[int], None]
    ) -> Shipped:
        """Generate with the vector in the chat model itself; lower the dose while replies repeat or change length."""
        requests, unsteered = self._neutral.requests[:CHECKED_REPLIES], self._neutral.replies[:CHECKED_REPLIES]
        for tries_left in reversed(range(_TRIES)):
            vector = as_control_vector(candidate, chat.architecture) if candidate.dose > 0 else None
            steered = generate_replies(chat, requests, system=self._system, vector=vector, on_reply=on_reply)
            change = compare_replies(unsteered, steered)
            if change.within_budget or not tries_left or candidate.dose == 0:
                break
            candidate = candidate.at_dose(candidate.dose * _STEP, 0.0)
            harm = self._harm.measure(candidate.directions())
        return Shipped(candidate, harm, change, self._safe_strength(candidate))

    def measure(self, examples: Sequence[Example], held_back: Sequence[PreferenceItem], shipped: Shipped) -> Measured:
        """Gain on the held-back items; `examples` are all the others."""
        network, tokenizer = self._estimator.network, self._estimator.tokenizer
        plain = HeldOut(network, [scored_text(tokenizer, item) for item in held_back], self._block)
        described = HeldOut(network, [scored_text(tokenizer, item, self._system) for item in held_back], self._block)
        unsteered = plain.nll()
        candidate = self._unseen(examples, shipped) if shipped.candidate.dose > 0 else shipped.candidate
        steered = described.nll(candidate.directions())
        return Measured(
            nll_unsteered=unsteered.mean,
            nll_steered=steered.mean,
            gain=steered.gain_over(unsteered),
            interval=steered.gain_interval(unsteered),
            gain_random=self._random_gain(plain, shipped),
            description_gain=described.nll().gain_over(unsteered) if self._system else 0.0,
            curve=tuple(
                StrengthPoint(s, described.nll(at).gain_over(unsteered), self._kl(at))
                for s in STRENGTHS
                for at in (candidate.directions(s),)
            ),
        )

    def _unseen(self, examples: Sequence[Example], shipped: Shipped) -> Candidate:
        """The same method on the same block without the held-back items, at the KL of the shipped vector."""
        method = self._choice.candidate.method
        fitted = fit_candidate(self._estimator.network, method, BACKBONES[method], examples, self._block)
        return fitted.at_dose(dose_for_kl(fitted, self._kl, shipped.harm.kl), 0.0)

    def _random_gain(self, plain: HeldOut, shipped: Shipped) -> float:
        """Mean gain of random directions of the shipped dose."""
        unsteered = plain.nll()
        generator = torch.Generator().manual_seed(0)
        gains = []
        for _ in range(_RANDOM_DRAWS):
            direction = torch.randn(self._estimator.network.width, generator=generator)
            unit = (direction / direction.norm()).to(shipped.candidate.unit.device)
            drawn = Candidate("random", self._block, unit, shipped.candidate.scale, shipped.candidate.dose, 0.0)
            gains.append(plain.nll(drawn.directions()).gain_over(unsteered))
        return sum(gains) / len(gains)

    def _safe_strength(self, candidate: Candidate) -> float:
        """The largest tried strength up to which KL and NLL stay within the budget; 1 is within it by construction."""
        safe = 1.0
        for strength in (1.25, 1.5, 1.75, 2.0):
            found = self._harm.measure(candidate.directions(strength)) if candidate.dose > 0 else None
            if found is None or found.kl > MAX_KL or found.nll_rise > MAX_NLL_RISE:
                break
            safe = strength
        return safe


def as_control_vector(candidate: Candidate, architecture: str) -> ControlVector:
    """The candidate as llama.cpp takes it, at its dose (strength 1)."""
    directions = {k: d.float().cpu().numpy() for k, d in candidate.directions().items()}
    return ControlVector(directions, architecture)
