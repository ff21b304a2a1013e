"""An output head's logits, free of rounding where that decides."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def sharp_logits(head: nn.Linear, rows: Tensor, targets: Tensor | None = None) -> Tensor:
    """Logits in float32, [rows, vocabulary], of hidden states [rows, width]; `targets` are a token of each row.

    bfloat16 holds a logit of 20 to 1/16 only. The logits that decide, the likeliest token's and the target's, are
    computed again in float32; the others hardly count in the sum.
    """
    logits: Tensor = head(rows).float()
    likeliest = logits.argmax(dim=1)
    decisive = torch.stack([likeliest] if targets is None else [targets, likeliest], dim=1)
    weights = head.weight[decisive].float()  # [rows, 1 or 2, width]
    exact = torch.einsum("rw,rkw->rk", rows.float(), weights)
    if head.bias is not None:
        exact = exact + head.bias[decisive].float()
    return logits.scatter(1, decisive, exact)
