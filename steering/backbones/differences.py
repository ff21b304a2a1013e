"""What the methods share that only read activations: one difference an example, from any source of activations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from steering.backbones.base import Example, Fits
from steering.models.activations import Activations, activations_of
from steering.models.language_model import LanguageModel

Pooling = Literal["mean", "last"]


class DifferenceBackbone(ABC):
    """A method that needs activations and no gradients, so the chat model itself can supply them."""

    needs_gradients: ClassVar = False
    needs_negatives: ClassVar[bool]
    needs_description: ClassVar[bool] = False

    @abstractmethod
    def differences(
        self, activations: Activations, examples: Sequence[Example], blocks: Collection[int]
    ) -> dict[int, Tensor]:
        """One difference for each example that takes part, float32 [those, width] by block.

        Raises: ValueError: no example has the other text that this method compares with.
        """

    @abstractmethod
    def takes_part(self, example: Example) -> bool:
        """Whether the example has the other text that this method compares with."""

    def direction(self, differences: Tensor) -> Tensor:
        """Of the rows of [examples, width], at least one: float32 [width]; their mean unless a method says else."""
        return differences.mean(dim=0)

    def directions(
        self, activations: Activations, examples: Sequence[Example], blocks: Collection[int]
    ) -> dict[int, Tensor]:
        """See `Backbone.fit`, from any source of activations.

        Raises: ValueError: no example has the other text that this method compares with.
        """
        found = self.differences(activations, examples, blocks)
        return {block: self.direction(differences) for block, differences in found.items()}

    def fit(self, network: LanguageModel, examples: Sequence[Example], blocks: Sequence[int]) -> dict[int, Tensor]:
        """See `Backbone.fit`."""
        return self.directions(activations_of(network), examples, blocks)

    def fit_without_each(self, network: LanguageModel, examples: Sequence[Example], blocks: Sequence[int]) -> Fits:
        """See `AttributableBackbone.fit_without_each`; exact, from the same differences."""
        found = self.differences(activations_of(network), examples, blocks)
        taking_part = [i for i, example in enumerate(examples) if self.takes_part(example)]
        fits = Fits({block: self.direction(rows) for block, rows in found.items()}, {})
        for block, rows in found.items():
            fits.without[block] = fits.whole[block].repeat(len(examples), 1)
            for row, i in enumerate(taking_part):
                others = torch.cat([rows[:row], rows[row + 1 :]])
                fits.without[block][i] = self.direction(others) if len(others) else 0.0
        return fits


def reply_differences(
    activations: Activations, examples: Sequence[Example], blocks: Collection[int], pooling: Pooling
) -> dict[int, Tensor]:
    """`pool(h_k(x, y)) - pool(h_k(x, y_negative))`, float32 [examples with a negative, width] by block.

    The person's side is pooled with the token weights (SteerX), the negative with equal ones; "last" pools the last
    token that has a weight.

    Raises: ValueError: no example has a negative.
    """
    pairs = [(e, e.negative) for e in examples if e.negative is not None]
    if not pairs:
        raise ValueError("a mean difference needs a negative")
    negatives = [negative for _, negative in pairs]
    own = activations.pooled([e.text for e, _ in pairs], [_pooling(e.weights, pooling) for e, _ in pairs], blocks)
    equal = [_pooling((1.0,) * len(n.text_ids), pooling) for n in negatives]
    other = activations.pooled(negatives, equal, blocks)
    return {block: own[block] - other[block] for block in blocks}


def prompt_differences(
    activations: Activations, examples: Sequence[Example], blocks: Collection[int]
) -> dict[int, Tensor]:
    """`pool(h_k(x + description, y)) - pool(h_k(x, y))`, float32 [described examples, width] by block.

    Both sides are pooled with the token weights.

    Raises: ValueError: no example has a description in its prompt.
    """
    pairs = [(e, e.described) for e in examples if e.described is not None]
    if not pairs:
        raise ValueError("a prompt contrast needs a description in the prompt")
    weights = [e.weights for e, _ in pairs]
    described = activations.pooled([text for _, text in pairs], weights, blocks)
    plain = activations.pooled([e.text for e, _ in pairs], weights, blocks)
    return {block: described[block] - plain[block] for block in blocks}


def _pooling(weights: Sequence[float], pooling: Pooling) -> Sequence[float]:
    if pooling == "mean":
        return weights
    last = max((i for i, weight in enumerate(weights) if weight > 0), default=len(weights) - 1)
    return tuple(float(i == last) for i in range(len(weights)))
