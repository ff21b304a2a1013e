"""CAA and StyleVector: the mean difference of pooled activations (arXiv 2312.06681, arXiv 2503.05213).

Direction of block k = mean over items of `pool(h_k(x, y)) - pool(h_k(x, y_negative))`; the person's side is pooled
with the token weights (SteerX), the negative with equal ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from steering.backbones.base import Example
from steering.network import Network, ScoredText


class MeanDifference:
    """Mean pooling over the text's own tokens."""

    needs_negatives = True

    def fit(self, network: Network, examples: Sequence[Example], block: int) -> Tensor:
        """See `Backbone.fit`."""
        positive = pooled(network, [e.text for e in examples], [e.weights for e in examples], block)
        negatives = [e.negative for e in examples if e.negative is not None]
        if len(negatives) < len(examples):
            raise ValueError("every example of a mean difference needs a negative")
        negative = pooled(network, negatives, [(1.0,) * len(n.text_ids) for n in negatives], block)
        return (positive - negative).mean(dim=0)


@torch.no_grad()
def pooled(network: Network, texts: Sequence[ScoredText], weights: Sequence[Sequence[float]], block: int) -> Tensor:
    """Weighted mean of block `block`'s output over each text's own tokens, float32 [texts, width].

    Texts whose weights are all zero are pooled with equal weights.
    """
    means = torch.zeros(len(texts), network.width, device=network.device)
    for batch in network.prepare(texts, block):
        # The row that scores a token is the position before it; the token's own position is one further.
        own = batch.hidden.flatten(0, 1)[batch.rows + 1].float()
        for row, i in enumerate(batch.indices):
            w = torch.tensor(weights[i], device=own.device)
            w = w if float(w.sum()) > 0 else torch.ones_like(w)
            means[i] = (w / w.sum()) @ own[batch.owners == row]
    return means
