"""The optimized vector against plain forward passes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from steering.backbones.base import Example
from steering.backbones.optimized import FEWEST_STEPS, MAX_DOSE, Optimized
from tests.steering.oracles import make_texts, token_logprobs

BLOCKS = [(1,), (2,), (1, 2)]


def make_examples(kind: str) -> list[Example]:
    generator = torch.Generator().manual_seed(3)
    drawn = [torch.rand(len(text.text_ids), generator=generator) for text in make_texts(5, seed=11)]
    weights = [w if kind == "weighted" else torch.ones_like(w) for w in drawn]
    return [Example(text, tuple(w.tolist()), None) for text, w in zip(make_texts(5, seed=11), weights, strict=True)]


def weighted_nll(model, examples: list[Example], directions: dict[int, torch.Tensor]) -> float:
    """Nats per unit of weight over all examples, by plain forward passes."""
    with torch.no_grad():
        losses = [-(torch.tensor(e.weights) * token_logprobs(model, e.text, directions)).sum() for e in examples]
    return float(sum(losses)) / sum(sum(e.weights) for e in examples)


@pytest.mark.parametrize("blocks", BLOCKS)
@pytest.mark.parametrize("kind", ["uniform", "weighted"])
def test_it_lowers_the_weighted_nll_within_its_cap(network, model, kind, blocks):
    examples = make_examples(kind)
    directions = Optimized().fit(network, examples, blocks)
    norms = network.residual_norms(network.prepare([e.text for e in examples], min(blocks)), blocks)
    assert tuple(directions) == blocks
    assert not any(direction.requires_grad for direction in directions.values())
    dose = math.hypot(*(float(directions[block].norm()) / norms[block] for block in blocks))
    assert 0 < dose <= MAX_DOSE * 1.0001
    assert weighted_nll(model, examples, directions) < weighted_nll(model, examples, {}) - 0.02


def test_it_learns_only_from_tokens_with_weight(network, model):
    """Two opposite lessons in one set: the one with the weight is learned."""
    examples = make_examples("uniform")
    silenced = [replace(e, weights=(0.0,) * len(e.weights)) for e in examples[1:]]
    (alone,) = Optimized().fit(network, [examples[0]], [1]).values()
    (beside,) = Optimized().fit(network, [examples[0], *silenced], [1]).values()
    assert float(torch.nn.functional.cosine_similarity(alone, beside, dim=0)) > 0.95
    nll = [weighted_nll(model, examples[:1], {1: d}) for d in (beside, torch.zeros_like(beside))]
    assert nll[0] < nll[1]


def test_the_same_vector_again(network):
    first, second = (Optimized().fit(network, make_examples("weighted"), (1, 2)) for _ in range(2))
    for block in (1, 2):
        assert first[block].shape == (network.width,) and first[block].dtype == torch.float32
        torch.testing.assert_close(first[block], second[block], atol=1e-6, rtol=1e-5)


def test_a_step_goes_through_the_model_a_few_texts_at_a_time_and_finds_the_same(network, monkeypatch):
    """What the blocks computed is held for a batch alone: memory does not grow with the step."""
    examples = make_examples("weighted")
    widest: list[int] = []

    def learned(limit: int) -> torch.Tensor:
        monkeypatch.setattr("steering.backbones.optimized.BATCH_TOKENS", limit)
        monkeypatch.setattr(network, "enough_tokens", limit)
        plain = network.token_logprobs

        def watched(batch, directions=None):
            widest.append(batch.hidden.shape[0] * batch.hidden.shape[1])
            return plain(batch, directions)

        monkeypatch.setattr(network, "token_logprobs", watched)
        (direction,) = Optimized().fit(network, examples, (1,)).values()
        monkeypatch.undo()
        return direction

    longest = max(e.text.length for e in examples)
    few = learned(longest)
    assert max(widest) <= longest and len(widest) > 10
    torch.testing.assert_close(learned(4096), few, atol=1e-5, rtol=1e-4)


def looked_at(network) -> list[int]:
    """The texts that moved the vector, where each has a step of its own."""
    examples = make_examples("weighted")
    found = Optimized(step_tokens=1).fit_without_each(network, examples, (1,))
    return [i for i in range(len(examples)) if not torch.equal(found.without[1][i], found.whole[1])]


def test_all_texts_are_looked_at_where_there_are_as_many_steps(network, monkeypatch):
    monkeypatch.setattr("steering.backbones.optimized.FEWEST_STEPS", 1)
    assert looked_at(network) == [0, 1, 2, 3, 4]
    monkeypatch.setattr("steering.backbones.optimized.MOST_STEPS", 3)
    assert len(looked_at(network)) == 3


def test_a_single_step_s_worth_of_texts_takes_the_fewest_steps(network):
    examples = make_examples("weighted")
    (found,) = Optimized().fit(network, examples, (1,)).values()
    (same,) = Optimized(steps=FEWEST_STEPS).fit(network, examples, (1,)).values()
    assert torch.equal(found, same)
