"""Sampling that suits a family of models, as its makers recommend it (generation_config.json and model cards)."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from assistant.models.header import ModelHeader


@dataclass(frozen=True, slots=True)
class _Family:
    architectures: tuple[str, ...]
    named: str
    """A part of the model's name, lower case; "" for every model of the architectures."""
    values: MappingProxyType[str, Any]


def _family(*architectures: str, named: str = "", **values: float) -> _Family:
    return _Family(architectures, named, MappingProxyType(values))


_FAMILIES = (
    _family("qwen2", "llama", "qwen3", named="deepseek-r1", temperature=0.6, top_p=0.95, min_p=0.0),
    _family("qwen2", "qwen2moe", temperature=0.7, top_p=0.8, top_k=20, min_p=0.0),
    _family("qwen3", "qwen3moe", temperature=0.6, top_p=0.95, top_k=20, min_p=0.0),
    _family("gemma2", "gemma3", "gemma3n", temperature=1.0, top_p=0.95, top_k=64, min_p=0.0),
    _family("llama", named="llama-3", temperature=0.6, top_p=0.9),
    _family("llama", named="llama 3", temperature=0.6, top_p=0.9),
    _family("smollm3", temperature=0.6, top_p=0.95),
    _family("gpt-oss", temperature=1.0, top_p=1.0, top_k=0, min_p=0.0),
)
"""The first that fits counts; what it does not name is the program's own default."""


def family_sampling(header: ModelHeader) -> dict[str, Any]:
    """The settings of `SamplingSettings` that are better otherwise for this model."""
    name = header.name.lower()
    for family in _FAMILIES:
        if header.architecture in family.architectures and family.named in name:
            return dict(family.values)
    return {}
