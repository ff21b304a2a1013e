"""The optimized vector: a few steps of gradient descent on the person's own tokens, everything else frozen.

Loss = weighted NLL of the texts in nats/token with a direction added to the output of each steered block; only the
blocks above the lowest of them take part in a step, what lies below is computed once. The weights are SteerX on this
backbone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import ClassVar

import torch
from torch import Tensor

from steering.backbones.base import Example, Fits
from steering.models.batches import ScoredText
from steering.models.language_model import LanguageModel
from steering.models.network import Network, PreparedBatch

FEWEST_STEPS, MOST_STEPS = 7, 20
"""In between a step for each `step_tokens`, so that every text is looked at: few texts are soon known by heart, many
take more steps than few."""
LEARNING_RATE, SHORTEST_WAY = 0.002, 0.02
"""Of Adam, and at least of all its steps together, as shares of a block's residual norm: few steps are longer."""
MAX_DOSE = 0.15
"""Cap of the dose on the way: about where the KL of what is learned meets the harm budget."""
STEP_TOKENS = 1024
"""Positions that one step looks at: a long history costs more batches, not longer steps."""
BATCH_TOKENS, MOST_LOGITS = 512, 2**27
"""Of them at the same time: what all blocks computed for these is held until the backward pass. On a GPU as many as
keep it busy, but of no more than so many logits, half a gigabyte."""


@dataclass(frozen=True, slots=True)
class Optimized:
    """Adam from zero.

    Attributes:
        steps: how many; None for as many as the texts are worth.
        step_tokens: positions that a step looks at, about.
    """

    steps: int | None = None
    step_tokens: int = STEP_TOKENS

    needs_gradients: ClassVar = True
    needs_negatives: ClassVar = False
    needs_description: ClassVar = False

    def fit(self, network: LanguageModel, examples: Sequence[Example], blocks: Sequence[int]) -> dict[int, Tensor]:
        """See `Backbone.fit`.

        Raises: ValueError: the model gives no gradients.
        """
        return self.fit_without_each(network, examples, blocks).whole

    def fit_without_each(self, network: LanguageModel, examples: Sequence[Example], blocks: Sequence[int]) -> Fits:
        """See `AttributableBackbone.fit_without_each`; what is left out is left out of every step, at no further pass.

        Every step's gradient is known example by example, so Adam runs once more without each of them beside the run
        with all. Only that the gradients of the others would be taken at slightly other places is neglected.

        Raises: ValueError: the model gives no gradients.
        """
        if not isinstance(network, Network):
            raise ValueError("the optimized vector needs gradients, which llama.cpp does not give")
        groups = step_groups([e.text for e in examples], self.step_tokens)
        count = self.steps or min(MOST_STEPS, max(FEWEST_STEPS, len(groups)))
        groups = groups[:count]
        steps = [_prepared(network, [examples[i] for i in group], min(blocks)) for group in groups]
        norms = network.residual_norms([batch for batch, _ in steps[0]], blocks)  # a thousand positions tell enough
        scale = torch.tensor([norms[block] for block in blocks], device=network.device)
        # In shares of the residual norm, which differs between blocks, so that one learning rate suits all. The first
        # row is the vector, each of the others the one without an example that is looked at.
        row_of = {i: 1 + place for place, i in enumerate(i for group in groups for i in group)}
        shares = torch.zeros(1 + len(row_of), len(blocks), network.width, device=network.device, requires_grad=True)
        optimizer = torch.optim.Adam([shares], lr=learning_rate(count))
        for group, step in islice(cycle(zip(groups, steps, strict=True)), count):
            of_each = _gradients(network, step, dict(zip(blocks, shares[0].detach() * scale[:, None], strict=True)))
            rows = [row_of[i] for i in group]
            shares.grad = _leaving_out(of_each * scale[:, None], [examples[i] for i in group], rows, len(shares))
            optimizer.step()
            _shorten(shares)
        directions = (shares.detach() * scale[:, None]).unbind(1)  # [rows, width] of each block
        without = [row_of.get(i, 0) for i in range(len(examples))]
        return Fits(
            {block: found[0].clone() for block, found in zip(blocks, directions, strict=True)},
            {block: found[without] for block, found in zip(blocks, directions, strict=True)},
        )


def learning_rate(steps: int) -> float:
    """Of Adam for so many steps, as a share of a block's residual norm."""
    return max(LEARNING_RATE, SHORTEST_WAY / steps)


def positions_at_once(network: Network) -> int:
    """Of a batch that a gradient is taken of."""
    return max(BATCH_TOKENS, min(network.enough_tokens, MOST_LOGITS // network.vocabulary))


def step_groups(texts: Sequence[ScoredText], positions: int) -> list[list[int]]:
    """Indices of the texts each step looks at: about so many positions, long and short texts in each."""
    count = max(1, round(sum(text.length for text in texts) / positions))
    order = sorted(range(len(texts)), key=lambda i: texts[i].length)
    return [group for start in range(count) if (group := order[start::count])]


def _prepared(network: Network, examples: Sequence[Example], block: int) -> list[tuple[PreparedBatch, Tensor]]:
    """Batches run up to the block, with the weights of their rows, scaled so that those of a step sum to 1."""
    total = max(sum(sum(e.weights) for e in examples), 1e-12)
    step = []
    for batch in network.prepare([e.text for e in examples], block, max_batch_tokens=positions_at_once(network)):
        weights = [w / total for i in batch.indices for w in examples[i].weights]
        step.append((batch, torch.tensor(weights, device=network.device)))
    return step


def _gradients(
    network: Network, step: Sequence[tuple[PreparedBatch, Tensor]], directions: Mapping[int, Tensor]
) -> Tensor:
    """Gradient of each text's part of the step's loss in each direction, float32 [texts, directions, width]."""
    found: dict[int, Tensor] = {}
    for batch, weights in step:
        # A copy for each text, though all are equal: its gradient is then the text's own.
        copies = {k: d.expand(len(batch.indices), 1, -1).clone().requires_grad_() for k, d in directions.items()}
        torch.autograd.backward(-(weights * network.token_logprobs(batch, copies)).sum())
        grads = torch.cat([copy.grad for copy in copies.values() if copy.grad is not None], dim=1)
        found |= dict(zip(batch.indices, grads, strict=True))
    return torch.stack([found[i] for i in range(len(found))])


def _leaving_out(of_each: Tensor, texts: Sequence[Example], places: Sequence[int], count: int) -> Tensor:
    """The step's gradient with all its texts in each of `count` rows, but in each of their places without that text.

    A loss is a mean over tokens, so the texts that stay gain the weight of the one that goes.
    """
    whole = of_each.sum(dim=0)
    rows = whole.repeat(count, 1, 1)
    weights = [sum(text.weights) for text in texts]
    total = sum(weights)
    for place, gradient, weight in zip(places, of_each, weights, strict=True):
        rows[place] = (whole - gradient) * (total / max(total - weight, 1e-12)) if weight < total else 0.0
    return rows


@torch.no_grad()
def _shorten(shares: Tensor) -> None:
    """Keep every row's dose, the root of the summed squares of all its shares, at most MAX_DOSE."""
    doses = shares.flatten(1).norm(dim=1)
    shares.mul_((MAX_DOSE / doses.clamp_min(1e-12)).clamp_max(1.0)[:, None, None])
