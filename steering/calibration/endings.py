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
        expected: that number of ends without a direction.
    """

    gradient: Mapping[int, Tensor] = field(default_factory=dict)
    expected: float = 0.0

    def kept(self, directions: Mapping[int, Tensor], norms: Mapping[int, float]) -> dict[int, Tensor]:
        """The directions without their part along the gradient, in shares of the blocks' residual norms.

        So a small dose changes the expected number of ends by nothing, to first order.
        """
        if not self.gradient:
            return dict(directions)
        return self._moved(directions, norms, -sum(float(d @ self.gradient[block]) for block, d in directions.items()))

    def sooner(self, directions: Mapping[int, Tensor], norms: Mapping[int, float], change: float) -> dict[int, Tensor]:
        """The directions moved along the gradient until the log of the expected number of ends is `change` more.

        To first order; replies become shorter by about that.
        """
        return self._moved(directions, norms, change * self.expected) if self.gradient else dict(directions)

    def _moved(self, directions: Mapping[int, Tensor], norms: Mapping[int, float], ends: float) -> dict[int, Tensor]:
        """By the shortest way, in shares of the residual norms, to so many ends more."""
        steepest = {block: self.gradient[block] * norms[block] for block in directions}
        share = ends / max(sum(float(steep @ steep) for steep in steepest.values()), 1e-30)
        return {block: d + steepest[block] * (share * norms[block]) for block, d in directions.items()}


NOT_KEPT = Endings()
"""Of vectors that are compared as they were published."""


def measured_endings(network: Network, replies: Sequence[ScoredText], end: int, blocks: Sequence[int]) -> Endings:
    """Measure the gradient on replies; those that ended have the token `end` as their last."""
    zeros = {block: torch.zeros(network.width, device=network.device, requires_grad=True) for block in blocks}
    expected = 0.0
    for batch in network.prepare(replies, min(blocks), max_batch_tokens=positions_at_once(network)):
        ends = replace(batch, targets=torch.full_like(batch.targets, end))
        found = network.token_logprobs(ends, zeros).exp().sum()
        torch.autograd.backward(found)
        expected += float(found.detach())
    return Endings({block: zero.grad for block, zero in zeros.items() if zero.grad is not None}, expected)
