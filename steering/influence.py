"""Which items a vector hangs on: how far it turns when each of them is left out (leave-one-out influence).

A mean of differences is recomputed without each of its items. The optimized vector is not fitted anew: Adam runs again
on the gradients of its own steps, without those of the item (see `Optimized.fit_without_each`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from steering.backbones.base import Example, Fits
from steering.profile import Influence


def influences(found: Fits, examples: Sequence[Example], norms: Mapping[int, float]) -> tuple[Influence, ...]:
    """What each example's item did to the vector, the most first; those that did nothing are left out.

    `norms` are the blocks' median residual norms, which make their directions comparable.
    """
    moved = movements(found, norms)
    total = sum(moved)
    made = [Influence(e.item_id, moved=m, share=m / total) for e, m in zip(examples, moved, strict=True) if m > 0]
    return tuple(sorted(made, key=lambda one: -one.moved))


def movements(found: Fits, norms: Mapping[int, float]) -> list[float]:
    """How far the vector turns without each example: 0 not at all, 1 for 60 degrees, 2 where it turns around.

    The distance between both vectors at unit length: a dose is calibrated afterwards, so only the direction counts.
    """
    whole = _unit([found.whole[block] / norm for block, norm in norms.items()])
    without = _unit([found.without[block] / norm for block, norm in norms.items()])
    moved = (without - whole).norm(dim=-1)
    return [float(m) if m > _ROUNDING else 0.0 for m in moved]


_ROUNDING = 1e-5
"""Distances below it come from float32."""


def _unit(directions: Sequence[Tensor]) -> Tensor:
    return normalize(torch.cat([d.float() for d in directions], dim=-1), dim=-1)
