"""Which method, block and dose: chosen on the person's texts that made no vector, at equal KL, within the harm budget.

No strength is a constant: a candidate is scaled until its KL on the model's own neutral replies meets a target.
Harm grows with the square of the dose, so two or three tries meet it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor

from steering.backbones.base import Backbone, Example
from steering.calibration.endings import NOT_KEPT, Endings
from steering.calibration.harm import NeutralHarm, NeutralKl, TeacherForcedHarm
from steering.calibration.heldout import HeldOut, Nll
from steering.models.batches import ScoredText
from steering.models.language_model import LanguageModel
from steering.profile import MAX_KL

DEPTHS = ((0.13, 0.33, 0.53), (0.2, 0.4, 0.6))
"""Sets of blocks that are steered together, as shares of the model's depth."""
TARGET_KLS = (0.05, 0.1, 0.15)
"""Nats; the largest is half of the harm budget: the middle of the safe range, not its edge."""
COMPARE_KL = 0.1
"""Nats at which methods and blocks are compared; at equal dose a stronger vector always looks better."""
START_DOSE = 0.1
"""Where the search for a KL begins: typical of 0.1 nats."""
MAX_DOSE = 0.3
KEPT_GAIN = 0.9
"""Of all that keeps this share of the best gain, what shows most is taken: a gain nobody can see is worth little."""
_TRIES = 4
"""Measurements of the KL that a search for it takes at most."""
DOSE_STEP = 0.85
"""A dose whose replies are outside the harm budget is lowered by this factor."""
BELOW = 0.97
"""A dose that was outside the budget is lowered to a little less than what should be inside."""
SMALLEST_DOSE = 0.01


@dataclass(frozen=True, slots=True)
class Candidate:
    """A vector at its dose.

    Attributes:
        method: name of the backbone.
        unit: the vector at dose 1: direction [width] by 0-based block whose output it is added to.
        dose: root of the summed squares of the directions' norms, each over its block's median residual norm.
        gain: on the texts it was chosen by, nats/token.
        kl: on the neutral replies it was chosen with, nats.
    """

    method: str
    unit: Mapping[int, Tensor]
    dose: float
    gain: float
    kl: float

    @property
    def blocks(self) -> tuple[int, ...]:
        """The steered blocks, ascending."""
        return tuple(sorted(self.unit))

    def directions(self, strength: float = 1.0) -> dict[int, Tensor]:
        """The vector to add, by block."""
        return {block: direction * (self.dose * strength) for block, direction in self.unit.items()}

    def at_dose(self, dose: float) -> Candidate:
        """The same vector at another dose; its gain and KL are not known."""
        return replace(self, dose=dose, gain=math.nan, kl=math.nan)


def candidate_blocks(blocks: int) -> list[tuple[int, ...]]:
    """The sets of blocks that are tried; block 0 cannot be steered."""
    return [tuple(sorted({min(blocks - 1, max(1, round(blocks * depth))) for depth in depths})) for depths in DEPTHS]


def fit_candidate(
    network: LanguageModel,
    name: str,
    backbone: Backbone,
    examples: Sequence[Example],
    blocks: Sequence[int],
    norms: Mapping[int, float],
    endings: Endings = NOT_KEPT,
) -> Candidate:
    """Fit a vector that leaves ends alone, at START_DOSE; `norms` are the blocks' median residual norms."""
    directions = endings.kept(backbone.fit(network, examples, blocks), norms)
    return Candidate(name, at_dose_one(directions, norms), START_DOSE, math.nan, math.nan)


def at_dose_one(directions: Mapping[int, Tensor], norms: Mapping[int, float]) -> dict[int, Tensor]:
    """The directions scaled to a dose of 1 together; zeros stay zeros."""
    dose = math.hypot(*(float(direction.norm()) / norms[block] for block, direction in directions.items()))
    return {block: direction / max(dose, 1e-12) for block, direction in directions.items()}


def at_kl(
    candidate: Candidate, kl: Callable[[Mapping[int, Tensor]], float], target: float, within: float = 0.1
) -> Candidate:
    """The candidate at the dose whose KL meets the target within a share of it, at most MAX_DOSE; with that KL."""
    candidate = candidate.at_dose(min(MAX_DOSE, candidate.dose))
    for _ in range(_TRIES):
        found = kl(candidate.directions())
        candidate = replace(candidate, kl=found)
        near = abs(found / target - 1) <= within
        if near or found <= 0 or (candidate.dose >= MAX_DOSE and found < target):
            break
        candidate = candidate.at_dose(min(MAX_DOSE, candidate.dose * math.sqrt(target / found)))
    return candidate if not math.isnan(candidate.kl) else replace(candidate, kl=kl(candidate.directions()))


class Calibration:
    """Candidates on the person's tuning texts, at equal KL on the model's own neutral replies.

    What does not depend on a candidate is computed once for every set of blocks.
    """

    def __init__(
        self,
        network: LanguageModel,
        tuning: Sequence[ScoredText],
        neutral_replies: Sequence[ScoredText],
        endings: Endings = NOT_KEPT,
    ) -> None:
        self._network = network
        self._endings = endings
        self._tuning = tuning
        self._replies = neutral_replies
        self._grounds: dict[tuple[int, ...], _Ground] = {}

    def candidates(self, backbones: Mapping[str, Backbone], examples: Sequence[Example]) -> Iterator[Candidate]:
        """Coarse: yield candidates fitted on `examples`, with their gain at COMPARE_KL.

        The first method is tried at every set of blocks, the others where it was best.
        """
        (first, backbone), *others = backbones.items()
        tried = []
        for blocks in candidate_blocks(len(self._network.blocks)):
            tried.append(self._compared(first, backbone, examples, blocks))
            yield tried[-1]
        for name, other in others:
            yield self._compared(name, other, examples, best(tried).blocks)

    def with_best_dose(self, compared: Candidate) -> Candidate:
        """Fine: a candidate at the largest dose that keeps KEPT_GAIN of its best gain."""
        ground = self._ground(compared.blocks)
        doses = [min(MAX_DOSE, compared.dose * math.sqrt(target / COMPARE_KL)) for target in TARGET_KLS]
        gains = [
            compared.gain if target == COMPARE_KL else ground.gain(compared.at_dose(dose))
            for target, dose in zip(TARGET_KLS, doses, strict=True)
        ]
        enough = max(i for i, gain in enumerate(gains) if gain >= KEPT_GAIN * max(gains) or gain == max(gains))
        return replace(compared, dose=doses[enough], gain=gains[enough], kl=TARGET_KLS[enough])

    def neutral_kl(self, blocks: tuple[int, ...]) -> NeutralKl:
        """What candidates in these blocks are brought to COMPARE_KL on."""
        return self._ground(blocks).kl

    @cached_property
    def unsteered(self) -> Nll:
        """NLL of the tuning texts without a vector."""
        return HeldOut(self._network, self._tuning, len(self._network.blocks) - 1).nll()

    def _compared(
        self, name: str, backbone: Backbone, examples: Sequence[Example], blocks: tuple[int, ...]
    ) -> Candidate:
        ground = self._ground(blocks)
        scaled = at_kl(
            fit_candidate(self._network, name, backbone, examples, blocks, ground.norms, self._endings),
            ground.kl,
            COMPARE_KL,
        )
        return replace(scaled, gain=ground.gain(scaled), kl=COMPARE_KL)

    def _ground(self, blocks: tuple[int, ...]) -> _Ground:
        if blocks not in self._grounds:
            self._grounds[blocks] = _Ground(self._network, self._tuning, self._replies, blocks, self.unsteered)
        return self._grounds[blocks]


class _Ground:
    """What candidates of one set of blocks are measured on; `unsteered` is the same for all sets."""

    def __init__(
        self,
        network: LanguageModel,
        tuning: Sequence[ScoredText],
        neutral_replies: Sequence[ScoredText],
        blocks: tuple[int, ...],
        unsteered: Nll,
    ) -> None:
        self.kl = NeutralKl(network, neutral_replies, min(blocks))
        self.norms = self.kl.residual_norms(blocks)
        self._held = HeldOut(network, tuning, min(blocks))
        self._unsteered = unsteered

    def gain(self, candidate: Candidate) -> float:
        return self._held.nll(candidate.directions()).gain_over(self._unsteered)


def best(candidates: Sequence[Candidate]) -> Candidate:
    """The candidate with the largest gain."""
    return max(candidates, key=lambda c: c.gain)


def within_budget(candidate: Candidate, harm: NeutralHarm) -> tuple[Candidate, TeacherForcedHarm]:
    """The candidate with its dose lowered until its harm is within the budget, and that harm; few tries find it.

    Where no dose is within the budget it is SMALLEST_DOSE.
    """
    found = harm.measure(candidate.directions())
    alone = harm.kl({}) if found.kl > MAX_KL else 0.0
    while not found.within_budget and candidate.dose > SMALLEST_DOSE:
        candidate = candidate.at_dose(max(SMALLEST_DOSE, candidate.dose * BELOW * found.allowed_share(alone)))
        found = harm.measure(candidate.directions())
    return candidate, found
