"""The second half of a rebuild: the vector that ships, its harm within the budget, and the gain on held-back items."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from steering.backbones import BACKBONES
from steering.backbones.base import Example
from steering.calibration.another_author import AnotherAuthor
from steering.calibration.candidates import DOSE_STEP, Candidate, at_dose_one, at_kl, within_budget
from steering.calibration.harm import NeutralHarm, NeutralKl, TeacherForcedHarm
from steering.calibration.heldout import HeldOut, Nll
from steering.calibration.replies import JUDGED_TOKENS, ReplyChange, compare_replies
from steering.calibration.tuning import Choice, NeutralReplies
from steering.calibration.wording import Descriptions
from steering.control_vector import ControlVector
from steering.influence import influences
from steering.items import PreferenceItem
from steering.material import scored_text
from steering.models.chat_model import ChatModel
from steering.models.estimator import Estimator
from steering.models.network import Directions
from steering.neutral import load_neutral_set
from steering.profile import Form, Influence, StrengthPoint
from steering.prompts import description_system

STRENGTHS = (0.5, 1.0, 1.5, 2.0)
"""Where the curve of gain against strength is measured; the slider goes from 0 to 2."""
TRIES = 3
"""Vectors that replies are generated with at most."""
SHORTEST_REPLY = 0.5
"""Of the length it should have: what is shorter is not corrected by more at once."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The vector of all items, and what each of them did to it, the most first."""

    candidate: Candidate
    influence: tuple[Influence, ...] = ()


@dataclass(frozen=True, slots=True)
class Shipped:
    """The vector made from all items, and its harm."""

    candidate: Candidate
    harm: TeacherForcedHarm
    replies: ReplyChange
    kl_by_strength: Mapping[float, float]
    safe_strength: float
    sooner: float = 0.0
    """By how much it was moved to ends, see `Endings.sooner`."""

    @property
    def within_budget(self) -> bool:
        """Whether it does no more harm than the budget allows."""
        return self.harm.within_budget and self.replies.within_budget


@dataclass(frozen=True, slots=True)
class Measured:
    """Gain on the held-back items of a vector that has not seen them, at the KL of the shipped one."""

    nll_unsteered: float
    nll_steered: float
    gain: float
    interval: tuple[float, float]
    gain_random: float
    gain_other: float
    description_gain: float
    curve: tuple[StrengthPoint, ...]


class Finisher:
    """What both stages share: the settings that were chosen and the neutral material at the chosen block."""

    def __init__(
        self,
        estimator: Estimator,
        choice: Choice,
        neutral: NeutralReplies,
        descriptions: Descriptions,
        another: AnotherAuthor,
    ) -> None:
        """The description stands in the system prompt where the form uses it."""
        describes = choice.form in ("description", "both")
        system = description_system(descriptions.shipped) if describes else ""
        self._judged_system = description_system(descriptions.judging) if describes else ""
        self._estimator = estimator
        self._choice = choice
        self._neutral = neutral
        self._another = another
        self._judging = neutral.judging()
        self._system = system
        self._block = min(choice.candidate.blocks)
        network, tokenizer = estimator.network, estimator.tokenizer
        self._plain_kl = choice.neutral_kl
        self._norms = self._plain_kl.residual_norms(choice.candidate.blocks)
        kl = NeutralKl(network, self._judging.scored(tokenizer), self._block)
        self._kl = kl.after(self._judging.scored(tokenizer, system)) if system else kl
        known = load_neutral_set()
        self._harm = NeutralHarm(
            network, tokenizer, self._block, kl=self._kl, texts=known.texts, questions=known.questions
        )

    @property
    def form(self) -> Form:
        """What the profile puts into a chat."""
        return self._choice.form

    def without_description(self) -> Finisher:
        """The same with the vector alone."""
        return Finisher(
            self._estimator,
            replace(self._choice, form="vector"),
            self._neutral,
            Descriptions("", "", ""),
            self._another,
        )

    def fit(self, examples: Sequence[Example]) -> Fitted:
        """The vector of all examples at the chosen KL; at dose 0 where the form has none."""
        chosen = self._choice.candidate
        if self._choice.form not in ("vector", "both"):
            return Fitted(chosen.at_dose(0.0))
        found = BACKBONES[chosen.method].fit_without_each(self._estimator.network, examples, chosen.blocks)
        candidate = replace(chosen, unit=self._unit(found.whole)).at_dose(chosen.dose)
        return Fitted(at_kl(candidate, self._plain_kl, chosen.kl), influences(found, examples, self._norms))

    def ship(
        self, chat: ChatModel, fitted: Candidate, on_reply: Callable[[int], None], *, tries: int = TRIES
    ) -> Shipped:
        """The vector at a dose that the harm budget allows.

        It generates with the chat model itself. While replies change length the vector is moved to sooner or later
        ends; while they repeat (or the model does not tell what ends them) its dose is lowered.
        """
        candidate, harm = within_budget(fitted, self._harm)
        ask = partial(chat.replies, self._judging.requests, max_tokens=JUDGED_TOKENS, on_reply=on_reply)
        plain = self._judging.replies
        described = ask(system=self._system) if self._system else plain
        sooner = 0.0
        for tries_left in reversed(range(tries)):
            steered = described
            if candidate.dose > 0:
                steered = ask(system=self._system, vector=as_control_vector(candidate, chat.architecture))
            change = compare_replies(plain, described, steered)
            if change.within_budget or not tries_left or candidate.dose == 0:
                break
            if change.length_within_budget or not self._choice.endings.gradient:
                candidate = candidate.at_dose(candidate.dose * DOSE_STEP)
            else:
                step = math.log(max(SHORTEST_REPLY, 1 + change.undescribed_length_change))
                candidate, sooner = self._sooner(candidate, step), sooner + step
            candidate, harm = within_budget(candidate, self._harm)
        kls = {s: _at(s, candidate, harm.kl, self._kl) for s in STRENGTHS}
        return Shipped(candidate, harm, change, kls, safe_strength(candidate, harm, kls, self._harm.nll_rise), sooner)

    def measure(self, examples: Sequence[Example], held_back: Sequence[PreferenceItem], shipped: Shipped) -> Measured:
        """Gain on the held-back items; `examples` are all the others, and the description is made from those."""
        network, tokenizer = self._estimator.network, self._estimator.tokenizer
        plain = described = HeldOut(network, [scored_text(tokenizer, item) for item in held_back], self._block)
        if self._judged_system:
            texts = [scored_text(tokenizer, item, self._judged_system) for item in held_back]
            described = HeldOut(network, texts, self._block)
        unsteered = plain.nll()
        unseen = shipped.candidate
        if unseen.dose > 0:
            # Both vectors are compared without the description, whose KL is the same for either.
            fitted = self._sooner(self._fit(examples), shipped.sooner)
            unseen = at_kl(fitted, self._plain_kl, self._plain_kl(shipped.candidate.directions()))
        steered = described.nll(unseen.directions())
        gain = steered.gain_over(unsteered)
        description_gain = 0.0
        if self._judged_system:
            description_gain = described.nll().gain_over(unsteered) if unseen.dose > 0 else gain
        gains = {s: _at(s, unseen, gain, lambda at_it: described.nll(at_it).gain_over(unsteered)) for s in STRENGTHS}
        return Measured(
            nll_unsteered=unsteered.mean,
            nll_steered=steered.mean,
            gain=gain,
            interval=steered.gain_interval(unsteered),
            gain_random=self._random_gain(plain, unsteered, shipped.candidate),
            gain_other=self._another_gain(plain, unsteered, shipped.candidate),
            description_gain=description_gain,
            curve=tuple(StrengthPoint(s, gains[s], kl) for s, kl in shipped.kl_by_strength.items()),
        )

    def _fit(self, examples: Sequence[Example]) -> Candidate:
        """The chosen method on the chosen blocks, at the chosen dose: near the one that a search for a KL ends with."""
        chosen = self._choice.candidate
        backbone = BACKBONES[chosen.method]
        fitted = backbone.fit(self._estimator.network, examples, chosen.blocks)
        return replace(chosen, unit=self._unit(fitted)).at_dose(chosen.dose)

    def _sooner(self, candidate: Candidate, change: float) -> Candidate:
        """The candidate at its dose with the log of the expected number of ends changed."""
        directions = self._choice.endings.sooner(candidate.directions(), self._norms, change)
        return replace(candidate, unit=at_dose_one(directions, self._norms))

    def _unit(self, directions: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """At dose 1, without what would change how soon replies end."""
        return at_dose_one(self._choice.endings.kept(directions, self._norms), self._norms)

    def _random_gain(self, plain: HeldOut, unsteered: Nll, shipped: Candidate) -> float:
        """Gain of a random vector of the shipped dose, spread over its blocks alike."""
        generator = torch.Generator().manual_seed(0)
        drawn = {block: torch.randn(d.shape, generator=generator).to(d) for block, d in shipped.directions().items()}
        made = {block: drawn[block] / drawn[block].norm() * d.norm() for block, d in shipped.directions().items()}
        return plain.nll(made).gain_over(unsteered)

    def _another_gain(self, plain: HeldOut, unsteered: Nll, shipped: Candidate) -> float:
        """Gain of another author's vector of the shipped dose: 0, and nothing to learn, where no vector ships."""
        return plain.nll(self._another_author(shipped)).gain_over(unsteered) if shipped.dose > 0 else 0.0

    def _another_author(self, shipped: Candidate) -> dict[int, Tensor]:
        """Another author's vector at the shipped dose."""
        directions = self._another.directions(shipped.method, shipped.blocks)
        return {block: d * shipped.dose for block, d in self._unit(directions).items()}


def ship_best_form(
    finisher: Finisher,
    chat: ChatModel,
    fitted: Candidate,
    on_reply: Callable[[int], None],
    *,
    keep_description: bool,
) -> tuple[Finisher, Shipped]:
    """What ships and the finisher that goes with it: without the description where it does harm beside the vector."""
    if finisher.form != "both" or keep_description:
        return finisher, finisher.ship(chat, fitted, on_reply)
    shipped = finisher.ship(chat, fitted, on_reply, tries=1)
    if shipped.within_budget:
        return finisher, shipped
    alone = finisher.without_description()
    return alone, alone.ship(chat, fitted, on_reply)


def safe_strength(
    candidate: Candidate,
    harm: TeacherForcedHarm,
    kls: Mapping[float, float],
    nll_rise: Callable[[Directions], float],
) -> float:
    """The largest tried strength up to which the harm stays within the budget; 1 is within it by construction.

    The expected accuracy falls about in proportion to the strength, so it is not measured again.
    """
    safe = 1.0
    for strength in (s for s in STRENGTHS if s > 1):
        rise = _at(strength, candidate, harm.nll_rise, nll_rise)
        if not TeacherForcedHarm(kls[strength], rise, harm.accuracy_drop * strength).within_budget:
            break
        safe = strength
    return safe


def _at(strength: float, candidate: Candidate, at_one: float, measured: Callable[[Directions], float]) -> float:
    """A figure at a strength; the one at 1 is known, and all others are like it where there is no vector."""
    return at_one if strength == 1 or candidate.dose == 0 else measured(candidate.directions(strength))


def as_control_vector(candidate: Candidate, architecture: str) -> ControlVector:
    """The candidate as llama.cpp takes it, at its dose (strength 1)."""
    directions = {k: d.float().cpu().numpy() for k, d in candidate.directions().items()}
    return ControlVector(directions, architecture)
