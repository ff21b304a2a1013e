"""The interface of a steering method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from steering.models.batches import ScoredText
from steering.models.language_model import LanguageModel


@dataclass(frozen=True, slots=True)
class Example:
    """One text to learn from.

    Attributes:
        text: the prompt and the person's text.
        weights: weight of every text token (SteerX; all ones is the plain backbone).
        negative: the same prompt with the rejected or the model's own reply; None where no method at hand needs one.
        described: the same text after the prompt with the description in it; None where there is none.
        item_id: the item that it is made of.
    """

    text: ScoredText
    weights: tuple[float, ...]
    negative: ScoredText | None
    described: ScoredText | None = None
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class Fits:
    """A vector, and what it would be without each of the examples it was learned from.

    Attributes:
        whole: the direction of each block, float32 [width].
        without: the same had an example been left out, float32 [examples, width].
    """

    whole: dict[int, Tensor]
    without: dict[int, Tensor]


class Backbone(Protocol):
    """Finds the directions of some blocks, which are steered together."""

    @property
    def needs_gradients(self) -> bool:
        """Whether it needs a model that gives gradients; llama.cpp does not."""
        ...

    @property
    def needs_negatives(self) -> bool:
        """Whether it learns from the difference to another reply."""
        ...

    @property
    def needs_description(self) -> bool:
        """Whether it learns from the same text after a prompt with the description."""
        ...

    def fit(self, network: LanguageModel, examples: Sequence[Example], blocks: Sequence[int]) -> dict[int, Tensor]:
        """The direction to add to the output of each block, float32 [width], at the method's own length."""
        ...


class AttributableBackbone(Backbone, Protocol):
    """A backbone that also tells which examples its vector hangs on."""

    def fit_without_each(self, network: LanguageModel, examples: Sequence[Example], blocks: Sequence[int]) -> Fits:
        """See `Backbone.fit`; and what comes of leaving out one example at a time, for hardly more than its cost."""
        ...
