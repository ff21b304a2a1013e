"""The optimized vector: a few steps of gradient descent on the person's own tokens, everything else frozen.

Loss = weighted NLL of the texts in nats/token with the vector added to the output of one block; only the blocks
above it take part in a step, what lies below is computed once. The weights are SteerX on this backbone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

import torch
from torch import Tensor

from steering.backbones.base import Example
from steering.network import Network, PreparedBatch, ScoredText, residual_norm

STEPS = 12
LEARNING_RATE = 0.008
"""Of Adam, as a share of the block's residual norm."""
MAX_DOSE = 0.25
"""Cap of the vector's norm, as a share of the block's residual norm."""
STEP_TOKENS = 1024
"""Positions that one step looks at: a long history costs more batches, not longer steps."""


@dataclass(frozen=True, slots=True)
class Optimized:
    """Adam from zero, `steps` long."""

    steps: int = STEPS

    @property
    def needs_negatives(self) -> bool:
        """See `Backbone.needs_negatives`."""
        return False

    def fit(self, network: Network, examples: Sequence[Example], block: int) -> Tensor:
        """See `Backbone.fit`."""
        groups = step_groups([e.text for e in examples])[: self.steps]
        steps = [_prepared(network, [examples[i] for i in group], block) for group in groups]
        scale = residual_norm([batch for step in steps for batch, _ in step])
        direction = torch.zeros(network.width, device=network.device, requires_grad=True)
        optimizer = torch.optim.Adam([direction], lr=LEARNING_RATE * scale)
        for step in islice(cycle(steps), self.steps):
            optimizer.zero_grad()
            _backward(network, step, direction)
            optimizer.step()
            with torch.no_grad():
                direction *= min(1.0, MAX_DOSE * scale / max(float(direction.norm()), 1e-12))
        return direction.detach()


def step_groups(texts: Sequence[ScoredText]) -> list[list[int]]:
    """Indices of the texts each step looks at: about STEP_TOKENS positions, long and short texts in each."""
    count = max(1, round(sum(text.length for text in texts) / STEP_TOKENS))
    order = sorted(range(len(texts)), key=lambda i: texts[i].length)
    return [group for start in range(count) if (group := order[start::count])]


def _prepared(network: Network, examples: Sequence[Example], block: int) -> list[tuple[PreparedBatch, Tensor]]:
    """Batches run up to the block, with the weights of their rows, scaled so that those of a step sum to 1."""
    total = max(sum(sum(e.weights) for e in examples), 1e-12)
    step = []
    for batch in network.prepare([e.text for e in examples], block, max_batch_tokens=STEP_TOKENS):
        weights = [w / total for i in batch.indices for w in examples[i].weights]
        step.append((batch, torch.tensor(weights, device=network.device)))
    return step


def _backward(network: Network, step: Sequence[tuple[PreparedBatch, Tensor]], direction: Tensor) -> None:
    for batch, weights in step:
        loss = -(weights * network.token_logprobs(batch, {batch.block: direction})).sum()
        torch.autograd.backward(loss)
