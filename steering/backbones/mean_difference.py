"""CAA and StyleVector: the mean difference of pooled activations (arXiv 2312.06681, arXiv 2503.05213).

Direction of block k = mean over items of `pool(h_k(x, y)) - pool(h_k(x, y_negative))`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from steering.backbones.base import Example
from steering.backbones.differences import DifferenceBackbone, Pooling, reply_differences
from steering.models.activations import Activations


@dataclass(frozen=True, slots=True)
class MeanDifference(DifferenceBackbone):
    """Over the examples that have a negative; pooled over the text's own tokens, or at its last one."""

    needs_negatives: ClassVar[bool] = True

    pooling: Pooling = "mean"

    def differences(
        self, activations: Activations, examples: Sequence[Example], blocks: Collection[int]
    ) -> dict[int, Tensor]:
        """See `DifferenceBackbone.differences`."""
        return reply_differences(activations, examples, blocks, self.pooling)

    def takes_part(self, example: Example) -> bool:
        """See `DifferenceBackbone.takes_part`."""
        return example.negative is not None
