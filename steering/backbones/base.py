"""The interface of a steering method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from steering.network import Network, ScoredText


@dataclass(frozen=True, slots=True)
class Example:
    """One text to learn from.

    Attributes:
        text: the prompt and the person's text.
        weights: weight of every text token (SteerX; all ones is the plain backbone).
        negative: the same prompt with the rejected or the model's own reply; None where no method at hand needs one.
    """

    text: ScoredText
    weights: tuple[float, ...]
    negative: ScoredText | None


class Backbone(Protocol):
    """Finds the direction of one block."""

    @property
    def needs_negatives(self) -> bool:
        """Whether it learns from the difference to another reply."""
        ...

    def fit(self, network: Network, examples: Sequence[Example], block: int) -> Tensor:
        """The direction to add to the output of `block`, float32 [width], at the method's own length."""
        ...
