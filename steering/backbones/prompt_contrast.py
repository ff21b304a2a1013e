"""Prompt contrast, of the ActAdd family (arXiv 2308.10248): what the description in the prompt does to the same text.

Direction of block k = mean over texts of `h_k(x + description, y) - h_k(x, y)` at the text's own positions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

from torch import Tensor

from steering.backbones.base import Example
from steering.backbones.differences import DifferenceBackbone, prompt_differences
from steering.models.activations import Activations


class PromptContrast(DifferenceBackbone):
    """Over the examples that have the description in a prompt; pooled with the token weights."""

    needs_negatives: ClassVar[bool] = False
    needs_description: ClassVar[bool] = True

    def differences(
        self, activations: Activations, examples: Sequence[Example], blocks: Collection[int]
    ) -> dict[int, Tensor]:
        """See `DifferenceBackbone.differences`."""
        return prompt_differences(activations, examples, blocks)

    def takes_part(self, example: Example) -> bool:
        """See `DifferenceBackbone.takes_part`."""
        return example.described is not None
