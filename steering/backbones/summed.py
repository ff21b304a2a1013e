"""The SteerX sum: the directions of two methods, each scaled to unit norm, added (METHOD.md, section 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import normalize

from steering.backbones.base import AttributableBackbone, Example, Fits
from steering.models.language_model import LanguageModel


@dataclass(frozen=True, slots=True)
class Summed:
    """Two methods, equally strong in every block."""

    first: AttributableBackbone
    second: AttributableBackbone

    @property
    def needs_gradients(self) -> bool:
        """See `Backbone.needs_gradients`."""
        return self.first.needs_gradients or self.second.needs_gradients

    @property
    def needs_negatives(self) -> bool:
        """See `Backbone.needs_negatives`."""
        return self.first.needs_negatives or self.second.needs_negatives

    @property
    def needs_description(self) -> bool:
        """See `Backbone.needs_description`."""
        return self.first.needs_description or self.second.needs_description

    def fit(self, network: LanguageModel, examples: Sequence[Example], blocks: Sequence[int]) -> dict[int, Tensor]:
        """See `Backbone.fit`."""
        return summed(self.first.fit(network, examples, blocks), self.second.fit(network, examples, blocks))

    def fit_without_each(self, network: LanguageModel, examples: Sequence[Example], blocks: Sequence[int]) -> Fits:
        """See `AttributableBackbone.fit_without_each`."""
        first, second = (part.fit_without_each(network, examples, blocks) for part in (self.first, self.second))
        return Fits(summed(first.whole, second.whole), summed(first.without, second.without))


def summed(first: Mapping[int, Tensor], second: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """Both directions of every block, [..., width], scaled to unit norm and added; one of zeros adds nothing."""
    return {block: normalize(first[block], dim=-1) + normalize(second[block], dim=-1) for block in first}
