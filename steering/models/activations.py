"""Activations of texts from two sources behind one interface: torch, and the quantized chat model itself.

Block k is torch's `layers[k]`; what is pooled is its output at a text's own positions, not at the ones before them.
Last-token pooling is a weight vector with 1 on the last token. Weights that are all zero pool equally.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import Protocol

import torch
from torch import Tensor

from steering.models.batches import ScoredText
from steering.models.chat_model import ChatModel
from steering.models.language_model import LanguageModel
from steering.models.network import Network, PreparedBatch
from steering.models.quantized import QuantizedNetwork


class Activations(Protocol):
    """Where the activations of texts come from."""

    def pooled(
        self, texts: Sequence[ScoredText], weights: Sequence[Sequence[float]], blocks: Collection[int]
    ) -> dict[int, Tensor]:
        """Weighted mean of each block's output over each text's own tokens, float32 [texts, width] by block.

        `weights` has one weight for every token of every text.
        """
        ...


class TorchActivations:
    """From the estimator; all blocks in one pass, texts in batches."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @torch.no_grad()
    def pooled(
        self, texts: Sequence[ScoredText], weights: Sequence[Sequence[float]], blocks: Collection[int]
    ) -> dict[int, Tensor]:
        """See `Activations.pooled`; the means lie where the network does."""
        shares = [_shares(w).to(self._network.device) for w in weights]
        means = {block: torch.zeros(len(texts), self._network.width, device=self._network.device) for block in blocks}
        for batch in self._network.prepare(texts, min(blocks)):
            outputs = self._network.outputs(batch)
            for block, output in itertools.takewhile(lambda seen: seen[0] <= max(blocks), outputs):
                if block in means:
                    _pool(batch, output, shares, means[block])
        return means


class ChatActivations:
    """From the quantized model that will be steered, without a torch model; one text at a time."""

    def __init__(self, chat: ChatModel) -> None:
        self._chat = chat

    def pooled(
        self, texts: Sequence[ScoredText], weights: Sequence[Sequence[float]], blocks: Collection[int]
    ) -> dict[int, Tensor]:
        """See `Activations.pooled`.

        Raises: an error of the app, for the user: the chat model does not hand out its residual stream.
        """
        means: dict[int, list[Tensor]] = {block: [] for block in blocks}
        for text, text_weights in zip(texts, weights, strict=True):
            shares = _shares(text_weights)
            found = self._chat.residuals(text.prompt_ids + text.text_ids, blocks)
            for block, rows in found.items():
                means[block].append(shares @ torch.from_numpy(rows[len(text.prompt_ids) :]))
        return {block: torch.stack(rows) for block, rows in means.items()}


def activations_of(model: LanguageModel) -> Activations:
    """The source that a model is itself.

    Raises: TypeError: it is neither of the two.
    """
    if isinstance(model, QuantizedNetwork):
        return ChatActivations(model.chat)
    if isinstance(model, Network):
        return TorchActivations(model)
    raise TypeError(f"{type(model).__name__} hands out no activations")


def _shares(weights: Sequence[float]) -> Tensor:
    """The weights scaled to a sum of 1, float32 [text tokens]."""
    w = torch.tensor(weights, dtype=torch.float32)
    w = w if float(w.sum()) > 0 else torch.ones_like(w)
    return w / w.sum()


def _pool(batch: PreparedBatch, output: Tensor, shares: Sequence[Tensor], means: Tensor) -> None:
    """Put the means of a batch's texts into `means` [texts, width]."""
    # The row that scores a token is the position before it; the token's own position is one further.
    own = output.flatten(0, 1)[batch.rows + 1].float()
    for place, i in enumerate(batch.indices):
        means[i] = shares[i] @ own[batch.owners == place]
