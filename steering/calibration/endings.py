"""How soon replies end, which a vector changes by the way and should not.

A person's texts are learned word by word, and wherever a text goes on it does not end. So what makes its words likelier
makes ends less likely, in replies as well: steered ones ran on without end. A direction therefore loses its part along
the gradient of the end's probability on the model's own replies; it gains as much without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from steering.backbones.optimized import positions_at_once
from steering.models.batches import ScoredText
from steering.models.network import Network


@dataclass(frozen=True, slots=True)
class Endings:
    """What ends replies.

    Attributes:
        gradient: of the expected number of ends along the model's own replies (the sum of the end's probability over
            their tokens) in a direction added to a block's output, float32 [width] by block; empty where the model
            gives no gradients or has no end of turn.
    """

    gradient: Mapping[int, Tensor] = field(default_factory=dict)

    def kept(self, directions: Mapping[int, Tensor], norms: Mapping[int, float]) -> dict[int, Tensor]:
        """The directions without their part along the gradient, in shares of the blocks' residual norms.

        So a small dose changes the expected number of ends by nothing, to first order.
        """
        if not self.gradient:
            return dict(directions)
        steepest = {block: self.gradient[block] * norms[block] for block in directions}
        along = sum(float(d.flatten() @ steepest[block]) / norms[block] for block, d in directions.items())
        square = sum(float(steep @ steep) for steep in steepest.values())
        share = along / max(square, 1e-30)
        return {block: d - steepest[block] * (share * norms[block]) for block, d in directions.items()}


NOT_KEPT = Endings()
"""Of vectors that are compared as they were published."""


def measured_endings(network: Network, replies: Sequence[ScoredText], end: int, blocks: Sequence[int]) -> Endings:
    """Measure the gradient on replies; those that ended have the token `end` as their last."""
    zeros = {block: torch.zeros(network.width, device=network.device, requires_grad=True) for block in blocks}
    for batch in network.prepare(replies, min(blocks), max_batch_tokens=positions_at_once(network)):
        ends = replace(batch, targets=torch.full_like(batch.targets, end))
        torch.autograd.backward(network.token_logprobs(ends, zeros).exp().sum())
    return Endings({block: zero.grad for block, zero in zeros.items() if zero.grad is not None})
