"""Which method, block and dose: chosen on the person's texts that made no vector, at equal KL, within the harm budget.

No strength is a constant: a candidate is scaled until its KL on the model's own neutral replies meets a target.
Harm grows with the square of the dose, so two or three tries meet it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from steering.backbones.base import Backbone, Example
from steering.harm import NeutralHarm, NeutralKl, TeacherForcedHarm
from steering.heldout import HeldOut, Nll
from steering.network import Network, ScoredText

DEPTHS = (0.4, 0.55)
"""Blocks tried, as shares of the model's depth."""
TARGET_KLS = (0.05, 0.1, 0.15)
"""Nats; the largest is half of the harm budget: the middle of the safe range, not its edge."""
COMPARE_KL = 0.1
"""Nats at which methods and blocks are compared; at equal dose a stronger vector always looks better."""
START_DOSE = 0.14
"""Where the search for a KL begins: typical of 0.1 nats."""
MAX_DOSE = 0.3
_ENOUGH = 0.9
"""A smaller dose is taken where it keeps this share of the best gain."""
DOSE_STEP = 0.85
"""A dose outside the harm budget is lowered by this factor until it is inside."""
SMALLEST_DOSE = 0.01


@dataclass(frozen=True, slots=True)
class Candidate:
    """A direction at its dose: the vector's norm over the median residual norm of the block.

    Attributes:
        method: name of the backbone.
        block: 0-based block whose output it is added to.
        unit: the direction at unit norm, [width].
        scale: median residual norm of the block.
        dose: as above.
        gain: on the texts it was chosen by, nats/token.
        kl: on the neutral replies it was chosen with, nats.
    """

    method: str
    block: int
    unit: Tensor
    scale: float
    dose: float
    gain: float
    kl: float

    def directions(self, strength: float = 1.0) -> dict[int, Tensor]:
        """The vector to add, by block."""
        return {self.block: self.unit * (self.scale * self.dose * strength)}

    def at_dose(self, dose: float) -> Candidate:
        """The same direction at another dose; its gain and KL are not known."""
        return replace(self, dose=dose, gain=math.nan, kl=math.nan)


def candidate_blocks(blocks: int) -> list[int]:
    """The blocks that are tried; block 0 cannot be steered."""
    return sorted({min(blocks - 1, max(1, round(blocks * depth))) for depth in DEPTHS})


def fit_candidate(
    network: Network, name: str, backbone: Backbone, examples: Sequence[Example], block: int, scale: float
) -> Candidate:
    """Fit a direction, at START_DOSE; `scale` is the block's median residual norm."""
    direction = backbone.fit(network, examples, block)
    return Candidate(
        name, block, direction / max(float(direction.norm()), 1e-12), scale, START_DOSE, math.nan, math.nan
    )


def at_kl(candidate: Candidate, kl: Callable[[Mapping[int, Tensor]], float], target: float) -> Candidate:
    """The candidate at the dose whose KL meets the target within a tenth, at most MAX_DOSE."""
    for _ in range(4):
        found = kl(candidate.directions())
        near = 0.9 <= found / target <= 1.1
        if near or found <= 0 or (candidate.dose >= MAX_DOSE and found < target):
            break
        candidate = candidate.at_dose(min(MAX_DOSE, candidate.dose * math.sqrt(target / found)))
    return candidate


def choose(
    network: Network,
    backbones: Mapping[str, Backbone],
    examples: Sequence[Example],
    tuning: Sequence[ScoredText],
    neutral_replies: Sequence[ScoredText],
) -> Iterator[Candidate]:
    """Yield every method's best candidate at every block, fitted on `examples`, its dose chosen on `tuning`."""
    for block in candidate_blocks(len(network.blocks)):
        kl = NeutralKl(network, neutral_replies, block)
        held = HeldOut(network, tuning, block)
        unsteered = held.nll()
        for name, backbone in backbones.items():
            fitted = fit_candidate(network, name, backbone, examples, block, kl.residual_norm)
            yield _with_best_dose(fitted, held, unsteered, kl)


def best(candidates: Sequence[Candidate]) -> Candidate:
    """The candidate with the largest gain."""
    return max(candidates, key=lambda c: c.gain)


def within_budget(candidate: Candidate, harm: NeutralHarm) -> tuple[Candidate, TeacherForcedHarm]:
    """The candidate with its dose lowered until its harm is within the budget, and that harm."""
    found = harm.measure(candidate.directions())
    while not found.within_budget and candidate.dose > SMALLEST_DOSE:
        candidate = candidate.at_dose(candidate.dose * DOSE_STEP)
        found = harm.measure(candidate.directions())
    return candidate, found


def _with_best_dose(fitted: Candidate, held: HeldOut, unsteered: Nll, kl: NeutralKl) -> Candidate:
    compare = at_kl(fitted, kl, COMPARE_KL)
    doses = [min(MAX_DOSE, compare.dose * math.sqrt(target / COMPARE_KL)) for target in TARGET_KLS]
    gains = [held.nll(compare.at_dose(dose).directions()).gain_over(unsteered) for dose in doses]
    enough = next(i for i, gain in enumerate(gains) if gain >= _ENOUGH * max(gains) or gain == max(gains))
    return replace(compare, dose=doses[enough], gain=gains[enough], kl=TARGET_KLS[enough])
