"""How far distributions over the next token are from fixed ones: KL(p || q), with what p takes done once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor, nn

from steering.models.output_head import sharp_logits

Divergence: TypeAlias = Callable[[Tensor], Tensor]
"""From what gives the logits of q, [rows, ...], to KL(p || q) of each row: nats, float32 [rows]."""


def from_logits(logits: Callable[[Tensor], Tensor], rows: Tensor) -> Divergence:
    """From the distributions whose logits `logits` gives for `rows`."""

    def divergence(others: Tensor) -> Tensor:
        p, q = logits(rows).log_softmax(dim=-1), logits(others).log_softmax(dim=-1)
        return (p.exp() * (p - q)).sum(dim=-1)

    return divergence


def from_hidden(head: nn.Linear, rows: Tensor) -> Divergence:
    """From the distributions that an output head gives for hidden states `rows` [rows, width].

    KL(p || q) = E_p[z_p - z_q] + lse(z_q) - lse(z_p), and the logits are linear, z = W h + b. So the mean is h_p - h_q
    times that of W's rows under p: of p this and its normalizer suffice, and its logits are not computed again.
    """
    logits = sharp_logits(head, rows)
    mean: Tensor = (logits.softmax(dim=-1).to(head.weight.dtype) @ head.weight).float()
    normalizer = _normalizer(logits)

    def divergence(others: Tensor) -> Tensor:
        moved = ((rows.float() - others.float()) * mean).sum(dim=-1)
        return moved + _normalizer(sharp_logits(head, others)) - normalizer

    return divergence


def _normalizer(logits: Tensor) -> Tensor:
    """Logarithm of the summed exponentials of each row, by way of log_softmax: logsumexp is slow on a CPU."""
    return logits[:, 0] - logits.log_softmax(dim=-1)[:, 0]
