"""Methods on one person, at equal harm: every vector is scaled to the same KL on the model's own neutral replies.

Vectors are made from the person's history only and measured on test texts. A method and the same "steerx-" differ in
the weights of the tokens, and where a method has the preference in the prompt, in what stands for it there: the raw
history, or the description (METHOD, section 5).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from steering.backbones import BACKBONES
from steering.backbones.base import Example
from steering.calibration.candidates import START_DOSE, Candidate, at_dose_one, at_kl, candidate_blocks, fit_candidate
from steering.calibration.harm import NeutralKl
from steering.calibration.heldout import HeldOut, Nll
from steering.calibration.tuning import NeutralReplies
from steering.description import template_description
from steering.effects.phrases import rank_phrases
from steering.evaluation.methods import learned_by
from steering.evaluation.people import Person
from steering.items import PreferenceItem
from steering.learning import own_replies, score_history
from steering.material import scored_text
from steering.models.chat_model import ChatModel
from steering.models.estimator import Estimator
from steering.prompts import description_system

KL = 0.1
"""Nats at which vectors are compared."""
WITHIN = 0.02
"""A tenth more KL is a twentieth more gain, which is as much as methods differ by."""


@dataclass(frozen=True, slots=True)
class Result:
    """A method on one person: gain in nats/token on the test texts, KL in nats, seconds to make and scale it."""

    gain: float
    kl: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Compared:
    """All methods on one person, and the last method's vector at its dose, for others to be measured with."""

    results: Mapping[str, Result]
    nll_unsteered: float
    vector: Mapping[int, Tensor]
    effects_seconds: float


class Comparison:
    """Measures people one after the other; what does not depend on the person is computed once."""

    def __init__(self, estimator: Estimator, chat: ChatModel, neutral: NeutralReplies, methods: Sequence[str]) -> None:
        self._estimator = estimator
        self._chat = chat
        self._methods = methods
        self._neutral = neutral.judging()
        self._blocks = candidate_blocks(len(estimator.network.blocks))[0]
        self._kl = NeutralKl(estimator.network, self._neutral.scored(estimator.tokenizer), min(self._blocks))
        self._norms = self._kl.residual_norms(self._blocks)
        self._doses: dict[str, float] = {}

    def person(self, person: Person, another: Mapping[int, Tensor] | None, on_step: Callable[[str], None]) -> Compared:
        """All methods; `another` is the vector of somebody else, of any length."""
        started = time.monotonic()
        on_step("effects")
        effects = score_history(self._estimator, person.history, {}, lambda _: None, lambda _: None).effects
        seconds = time.monotonic() - started
        network, tokenizer = self._estimator.network, self._estimator.tokenizer
        negatives = {}
        if any(BACKBONES[name.removeprefix("steerx-")].needs_negatives for name in self._methods):
            negatives = own_replies(self._chat, tokenizer, person.history, lambda _: None)
        description = template_description(person.history, rank_phrases(person.history, effects))
        held = HeldOut(network, [scored_text(tokenizer, item) for item in person.test], min(self._blocks))
        unsteered = held.nll()
        results: dict[str, Result] = {}
        vector: Mapping[int, Tensor] = {}
        for name in self._methods:
            on_step(name)
            learned = learned_by(name, tokenizer, person.history, effects, negatives, description)
            made, result = self._fitted(name, learned, held, unsteered)
            results[name], vector = result, made.directions()
        on_step("others")
        results["random"] = self._scaled("random", self._random(), held, unsteered)
        if another:
            results["other-person"] = self._scaled("other", at_dose_one(another, self._norms), held, unsteered)
        results["description-prompt"] = self._described(person.test, description, unsteered)
        return Compared(results, unsteered.mean, vector, seconds)

    def _fitted(self, name: str, learned: Sequence[Example], held: HeldOut, unsteered: Nll) -> tuple[Candidate, Result]:
        started = time.monotonic()
        method = name.removeprefix("steerx-")
        fitted = fit_candidate(self._estimator.network, method, BACKBONES[method], learned, self._blocks, self._norms)
        made = self._at_kl(name, fitted)
        seconds = time.monotonic() - started
        return made, self._measured(made, held, unsteered, seconds)

    def _at_kl(self, name: str, candidate: Candidate) -> Candidate:
        """The search begins at the dose of the last person: methods differ in it more than people do."""
        made = at_kl(candidate.at_dose(self._doses.get(name, candidate.dose)), self._kl, KL, WITHIN)
        self._doses[name] = made.dose
        return made

    def _scaled(self, name: str, unit: Mapping[int, Tensor], held: HeldOut, unsteered: Nll) -> Result:
        candidate = self._at_kl(name, Candidate(name, unit, START_DOSE, float("nan"), float("nan")))
        return self._measured(candidate, held, unsteered, 0.0)

    def _measured(self, candidate: Candidate, held: HeldOut, unsteered: Nll, seconds: float) -> Result:
        gain = held.nll(candidate.directions()).gain_over(unsteered)
        return Result(gain, candidate.kl, seconds)

    def _described(self, test: Sequence[PreferenceItem], description: str, unsteered: Nll) -> Result:
        """The description as system prompt, at whatever KL it has."""
        network, tokenizer = self._estimator.network, self._estimator.tokenizer
        system, block = description_system(description), min(self._blocks)
        held = HeldOut(network, [scored_text(tokenizer, item, system) for item in test], block)
        replies = self._neutral.scored(tokenizer), self._neutral.scored(tokenizer, system)
        kl = NeutralKl(network, replies[0], block, replies[1])
        return Result(held.nll().gain_over(unsteered), kl({}), 0.0)

    def _random(self) -> dict[int, Tensor]:
        generator = torch.Generator().manual_seed(0)
        width, device = self._estimator.network.width, self._estimator.network.device
        drawn = {block: torch.randn(width, generator=generator).to(device) for block in self._blocks}
        return at_dose_one({b: d / d.norm() * self._norms[b] for b, d in drawn.items()}, self._norms)
