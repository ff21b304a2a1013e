"""The interface of a steering method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from steering.models.language_model import LanguageModel
from steering.models.network import ScoredText


@dataclass(frozen=True, slots=True)
class Example:
    """One text to learn from.

    Attributes:
        text: the prompt and the person's text.
        weights: weight of every text token (SteerX; all ones is the plain backbone).
        negative: the same prompt with the rejected or the model's own reply; None where no method at hand needs one.
        described: the same text after the prompt with the description in it; None where there is none.
    """

    text: ScoredText
    weights: tuple[float, ...]
    negative: ScoredText | None
    described: ScoredText | None = None


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
