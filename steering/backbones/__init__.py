"""Steering methods: one module each, one interface: examples and blocks in, a direction for each block out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from steering.backbones.base import AttributableBackbone, Backbone
from steering.backbones.mean_difference import MeanDifference
from steering.backbones.optimized import Optimized
from steering.backbones.principal import PrincipalComponent
from steering.backbones.prompt_contrast import PromptContrast
from steering.backbones.summed import Summed

BACKBONES: Mapping[str, AttributableBackbone] = MappingProxyType(
    {
        "optimized": Optimized(),
        "caa": MeanDifference(),
        "stylevector": MeanDifference("last"),
        "prompt-contrast": PromptContrast(),
        "pca": PrincipalComponent(),
        "optimized-sum": Summed(Optimized(), PromptContrast()),
        "caa-sum": Summed(MeanDifference(), PromptContrast()),
        "stylevector-sum": Summed(MeanDifference("last"), PromptContrast()),
    }
)
"""Every method by its name; a profile made on the weighted tokens is called `steerx-<name>`. The sums add what the
description in the prompt does (METHOD, section 5)."""

CHOOSING: Mapping[str, Backbone] = MappingProxyType(
    {"optimized": Optimized(steps=5, step_tokens=512), "caa": MeanDifference()}
)
"""Some at less cost, for choosing among methods and blocks; what is chosen is then fitted in full."""

FASTEST: Mapping[str, AttributableBackbone] = MappingProxyType(
    {**BACKBONES, "optimized": Optimized(steps=5, step_tokens=256)}
)
"""All at the least cost that shows whether there is a gain."""

__all__ = ["BACKBONES", "CHOOSING", "FASTEST", "Backbone"]
