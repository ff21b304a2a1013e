"""Steering methods: one module each, one interface: examples and a block in, a direction out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from steering.backbones.base import Backbone
from steering.backbones.mean_difference import MeanDifference
from steering.backbones.optimized import Optimized

BACKBONES: Mapping[str, Backbone] = MappingProxyType({"optimized": Optimized(), "caa": MeanDifference()})
"""Every method by its name; a profile made on the weighted tokens is called `steerx-<name>`."""

__all__ = ["BACKBONES", "Backbone"]
