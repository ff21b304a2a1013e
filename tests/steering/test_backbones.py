from __future__ import annotations

import pytest
import torch

from steering.backbones import BACKBONES
from steering.backbones.base import Example
from steering.backbones.mean_difference import MeanDifference, pooled
from steering.backbones.optimized import MAX_DOSE, Optimized
from steering.network import ScoredText, residual_norm
from tests.steering.oracles import block_output, make_texts, token_logprobs


def make_examples(kind: str) -> list[Example]:
    generator = torch.Generator().manual_seed(3)
    made = []
    for text, other in zip(make_texts(5, seed=11), make_texts(5, seed=12), strict=True):
        drawn = torch.rand(len(text.text_ids), generator=generator)
        weights = {"uniform": torch.ones_like(drawn), "weighted": drawn, "few": (drawn > 0.8).float()}[kind]
        made.append(Example(text, tuple(weights.tolist()), ScoredText(text.prompt_ids, other.text_ids)))
    return made


def own_positions(model, text: ScoredText, block: int) -> torch.Tensor:
    return block_output(model, text.prompt_ids + text.text_ids, block)[len(text.prompt_ids) :]


def weighted_mean(own: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Plain sums, token by token; equal weights where there are none."""
    if not weights.any():
        weights = torch.ones_like(weights)
    total = torch.zeros(own.shape[1])
    for vector, weight in zip(own, weights, strict=True):
        total += weight * vector
    return total / weights.sum()


@pytest.mark.parametrize("block", [1, 2])
@pytest.mark.parametrize("kind", ["uniform", "weighted", "few"])
def test_mean_difference_equals_hooks_on_single_texts(network, model, kind, block):
    examples = make_examples(kind)
    differences = [
        weighted_mean(own_positions(model, e.text, block), torch.tensor(e.weights))
        - own_positions(model, e.negative, block).mean(dim=0)
        for e in examples
    ]
    found = MeanDifference().fit(network, examples, block)
    torch.testing.assert_close(found, torch.stack(differences).mean(dim=0), atol=1e-5, rtol=1e-4)


def test_the_weights_matter(network):
    uniform, weighted = (MeanDifference().fit(network, make_examples(kind), 1) for kind in ("uniform", "weighted"))
    assert float((uniform - weighted).norm()) > 0.01 * float(uniform.norm())


def test_pooling_keeps_the_order_of_the_texts(network, texts):
    weights = [(1.0,) * len(t.text_ids) for t in texts]
    together = pooled(network, texts, weights, 1)
    apart = torch.cat([pooled(network, [t], [w], 1) for t, w in zip(texts, weights, strict=True)])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=0)


def weighted_nll(model, examples: list[Example], directions: dict[int, torch.Tensor]) -> float:
    """Nats per unit of weight over all examples, by plain forward passes."""
    with torch.no_grad():
        losses = [-(torch.tensor(e.weights) * token_logprobs(model, e.text, directions)).sum() for e in examples]
    return float(sum(losses)) / sum(sum(e.weights) for e in examples)


@pytest.mark.parametrize("block", [1, 2])
@pytest.mark.parametrize("kind", ["uniform", "weighted"])
def test_optimized_lowers_the_weighted_nll_within_its_cap(network, model, kind, block):
    examples = make_examples(kind)
    direction = Optimized().fit(network, examples, block)
    scale = residual_norm(network.prepare([e.text for e in examples], block))
    assert not direction.requires_grad
    assert 0 < float(direction.norm()) <= MAX_DOSE * scale * 1.0001
    assert weighted_nll(model, examples, {block: direction}) < weighted_nll(model, examples, {}) - 0.05


def test_optimized_learns_only_from_tokens_with_weight(network, model):
    """Two opposite lessons in one set: the one with the weight is learned."""
    examples = make_examples("uniform")
    silenced = [Example(e.text, (0.0,) * len(e.weights), e.negative) for e in examples[1:]]
    alone = Optimized().fit(network, [examples[0]], 1)
    beside = Optimized().fit(network, [examples[0], *silenced], 1)
    assert float(torch.nn.functional.cosine_similarity(alone, beside, dim=0)) > 0.95
    nll = [weighted_nll(model, examples[:1], {1: d}) for d in (beside, torch.zeros_like(beside))]
    assert nll[0] < nll[1]


@pytest.mark.parametrize("name", BACKBONES)
def test_every_method_gives_the_same_direction_again(network, name):
    examples = make_examples("weighted")
    first, second = (BACKBONES[name].fit(network, examples, 1) for _ in range(2))
    assert first.shape == (network.width,) and first.dtype == torch.float32
    assert torch.isfinite(first).all()
    torch.testing.assert_close(first, second, atol=1e-6, rtol=1e-5)
