"""The optimized vector: a few steps of gradient descent on the person's own tokens, everything else frozen.

Loss = weighted NLL of the texts in nats/token with a direction added to the output of each steered block; only the
blocks above the lowest of them take part in a step, what lies below is computed once. The weights are SteerX on this
backbone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import ClassVar

import torch
from torch import Tensor

from steering.backbones.base import Example
from steering.models.language_model import LanguageModel
from steering.models.network import Network, PreparedBatch, ScoredText

STEPS = 10
LEARNING_RATE = 0.002
"""Of Adam, as a share of a block's residual norm."""
MAX_DOSE = 0.15
"""Cap of the dose on the way: about where the KL of what is learned meets the harm budget."""
STEP_TOKENS = 1024
"""Positions that one step looks at: a long history costs more batches, not longer steps."""


@dataclass(frozen=True, slots=True)
class Optimized:
    """Adam from zero, `steps` long."""

    steps: int = STEPS

    needs_gradients: ClassVar = True
    needs_negatives: ClassVar = False
    needs_description: ClassVar = False

    def fit(self, network: LanguageModel, examples: Sequence[Example], blocks: Sequence[int]) -> dict[int, Tensor]:
        """See `Backbone.fit`.

        Raises: ValueError: the model gives no gradients.
        """
        if not isinstance(network, Network):
            raise ValueError("the optimized vector needs gradients, which llama.cpp does not give")
        groups = step_groups([e.text for e in examples])[: self.steps]
        steps = [_prepared(network, [examples[i] for i in group], min(blocks)) for group in groups]
        norms = network.residual_norms([batch for batch, _ in steps[0]], blocks)  # a thousand positions tell enough
        # In shares of the residual norm, which differs between blocks, so that one learning rate suits all.
        shares = {block: torch.zeros(network.width, device=network.device, requires_grad=True) for block in blocks}
        optimizer = torch.optim.Adam(shares.values(), lr=LEARNING_RATE)
        for step in islice(cycle(steps), self.steps):
            optimizer.zero_grad()
            _backward(network, step, {block: share * norms[block] for block, share in shares.items()})
            optimizer.step()
            _shorten(shares)
        return {block: share.detach() * norms[block] for block, share in shares.items()}


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


def _backward(network: Network, step: Sequence[tuple[PreparedBatch, Tensor]], directions: Mapping[int, Tensor]) -> None:
    loss = torch.zeros((), device=network.device)
    for batch, weights in step:
        loss = loss - (weights * network.token_logprobs(batch, directions)).sum()
    torch.autograd.backward(loss)


@torch.no_grad()
def _shorten(shares: Mapping[int, Tensor]) -> None:
    """Keep the dose, the root of the summed squares of all shares, at most MAX_DOSE."""
    dose = math.hypot(*(float(share.norm()) for share in shares.values()))
    for share in shares.values():
        share.mul_(min(1.0, MAX_DOSE / max(dose, 1e-12)))
