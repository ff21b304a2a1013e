"""Divergences of next-token distributions against torch's own, in double precision."""

import pytest
import torch
from torch import Tensor, nn

from steering.models.divergence import from_hidden, from_logits

VOCABULARY, WIDTH, ROWS = 500, 32, 1000


def head_of(dtype: torch.dtype, *, bias: bool = False) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(WIDTH, VOCABULARY, bias=bias).requires_grad_(False).to(dtype)


def hidden(dtype: torch.dtype, peak: float) -> tuple[Tensor, Tensor]:
    """Hidden states, and the same moved a little; the larger, the more certain of one token."""
    generator = torch.Generator().manual_seed(1)
    rows = torch.randn(ROWS, WIDTH, generator=generator) * peak
    return rows.to(dtype), (rows + 0.1 * torch.randn(ROWS, WIDTH, generator=generator) * peak).to(dtype)


def oracle(head: nn.Linear, p: Tensor, q: Tensor) -> Tensor:
    weight, bias = head.weight.double(), 0.0 if head.bias is None else head.bias.double()
    log_p, log_q = ((rows.double() @ weight.T + bias).log_softmax(dim=-1) for rows in (p, q))
    return nn.functional.kl_div(log_q, log_p, log_target=True, reduction="none").sum(dim=-1)


@pytest.mark.parametrize("peak", [0.5, 5.0, 20.0])
@pytest.mark.parametrize("bias", [False, True])
def test_both_ways_give_torchs_divergence(peak: float, bias: bool) -> None:
    head = head_of(torch.float32, bias=bias)
    p, q = hidden(torch.float32, peak)
    expected = oracle(head, p, q).float()
    torch.testing.assert_close(from_hidden(head, p)(q), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(from_logits(head, p)(q), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("peak", [5.0, 20.0])
def test_in_bfloat16_the_mean_is_right(peak: float) -> None:
    head = head_of(torch.bfloat16)
    p, q = hidden(torch.bfloat16, peak)
    assert float(from_hidden(head, p)(q).mean()) == pytest.approx(float(oracle(head, p, q).mean()), rel=0.01)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_of_itself_it_is_zero(dtype: torch.dtype) -> None:
    p, _ = hidden(dtype, 5.0)
    assert not from_hidden(head_of(dtype), p)(p).any()
