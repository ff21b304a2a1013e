"""What many sequences begin with: its keys and values, read once, followed by any number of sequences at a time."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer


def can_be_followed(cache: Cache) -> bool:
    """Whether every layer keeps keys and values: a recurrent state cannot be shared in this way."""
    return all(isinstance(layer, DynamicLayer) for layer in cache.layers)


def followed(beginning: Cache) -> Cache:
    """A view of the cache of one sequence that a batch of sequences may follow; nothing that they add is kept.

    Neither is the beginning copied for each of them, but for the time of one layer's attention.
    """
    view = copy.copy(beginning)
    view.layers = [_followed(layer) for layer in beginning.layers]
    return view


def _joined(kept: Tensor, new: Tensor) -> Tensor:
    return torch.cat([kept.expand(len(new), -1, -1, -1), new], dim=-2)


def _followed(layer: Any) -> Any:
    view = copy.copy(layer)

    def update(keys: Tensor, values: Tensor, *_args: object, **_kwargs: object) -> tuple[Tensor, Tensor]:
        """Keys and values of the beginning and of what follows, each [sequences, heads, positions, head width]."""
        return _joined(layer.keys, keys), _joined(layer.values, values)

    view.update = update
    return view
