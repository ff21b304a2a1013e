"""The optimized vector: a few steps of gradient descent on the person's own tokens, everything else frozen.

Loss = weighted NLL of the texts in nats/token with the vector added to the output of one block; only the blocks
above it take part in a step, what lies below is computed once. The weights are SteerX on this backbone.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import torch
from torch import Tensor

from steering.backbones.base import Example
from steering.network import Network, PreparedBatch, residual_norm

STEPS = 6
LEARNING_RATE = 0.008
"""Of Adam, as a share of the block's residual norm."""
MAX_DOSE = 0.25
"""Cap of the vector's norm, as a share of the block's residual norm."""
STEP_TOKENS = 4096
"""Positions that one step looks at: a long history costs more batches, not longer steps."""


class Optimized:
    """Adam from zero."""

    def fit(self, network: Network, examples: Sequence[Example], block: int) -> Tensor:
        """See `Backbone.fit`."""
        texts = [e.text for e in examples]
        weights = [torch.tensor(e.weights, device=network.device) for e in examples]
        prepared = network.prepare(texts, block, max_batch_tokens=STEP_TOKENS // 2)
        scale = residual_norm(prepared)
        direction = torch.zeros(network.width, device=network.device, requires_grad=True)
        optimizer = torch.optim.Adam([direction], lr=LEARNING_RATE * scale)
        steps = cycle(_steps(prepared))
        for _ in range(STEPS):
            optimizer.zero_grad()
            _backward(network, next(steps), weights, direction)
            optimizer.step()
            with torch.no_grad():
                direction *= min(1.0, MAX_DOSE * scale / max(float(direction.norm()), 1e-12))
        return direction.detach()


def _backward(network: Network, step: Sequence[PreparedBatch], weights: Sequence[Tensor], direction: Tensor) -> None:
    token_weights = [torch.cat([weights[i] for i in batch.indices]) for batch in step]
    total = max(float(sum(w.sum() for w in token_weights)), 1e-12)
    for batch, w in zip(step, token_weights, strict=True):
        loss = -(w * network.token_logprobs(batch, {batch.block: direction})).sum() / total
        loss.backward()  # type: ignore[no-untyped-call]  # torch ships it untyped


def _steps(prepared: Sequence[PreparedBatch]) -> list[list[PreparedBatch]]:
    """Batches grouped so that a step holds about STEP_TOKENS positions, long and short texts in each."""
    positions = sum(batch.hidden.shape[0] * batch.hidden.shape[1] for batch in prepared)
    count = max(1, round(positions / STEP_TOKENS))
    return [group for start in range(count) if (group := list(prepared[start::count]))]
