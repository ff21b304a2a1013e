"""Principal component of the differences (RepE, arXiv 2310.01405), for comparison; not centred.

Centring would take the mean away, which is what a mean difference is made of.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from steering.backbones.base import Example
from steering.backbones.differences import DifferenceBackbone, reply_differences
from steering.models.activations import Activations


class PrincipalComponent(DifferenceBackbone):
    """First right singular vector of the mean-pooled differences, along their mean and as long as it."""

    needs_negatives: ClassVar[bool] = True

    def differences(
        self, activations: Activations, examples: Sequence[Example], blocks: Collection[int]
    ) -> dict[int, Tensor]:
        """See `DifferenceBackbone.differences`."""
        return reply_differences(activations, examples, blocks, "mean")

    def takes_part(self, example: Example) -> bool:
        """See `DifferenceBackbone.takes_part`."""
        return example.negative is not None

    def direction(self, differences: Tensor) -> Tensor:
        """See `DifferenceBackbone.direction`."""
        return _principal(differences)


def _principal(differences: Tensor) -> Tensor:
    """Of the rows of [examples, width]: float32 [width]."""
    mean = differences.mean(dim=0)
    first: Tensor = torch.linalg.svd(differences, full_matrices=False).Vh[0]
    # The sign of a singular vector is arbitrary.
    sign = 1.0 if float(first @ mean) >= 0 else -1.0
    return sign * float(mean.norm()) * first
