"""What a vector would be without each of its items, against vectors that are really made without them."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from scipy.stats import spearmanr

from steering.backbones import BACKBONES
from steering.backbones.base import Example, Fits
from steering.backbones.differences import DifferenceBackbone
from steering.backbones.optimized import MAX_DOSE, Optimized, learning_rate
from steering.influence import influences, movements
from tests.steering.oracles import token_logprobs
from tests.steering.test_backbones import make_examples

EXACT = [
    name
    for name, method in BACKBONES.items()
    if isinstance(method, DifferenceBackbone) or name in ("caa-sum", "stylevector-sum")
]


@pytest.mark.parametrize("name", EXACT)
def test_a_difference_without_an_item_is_the_one_made_without_it(network, name):
    examples = make_examples("weighted")
    found = BACKBONES[name].fit_without_each(network, examples, [1, 2])
    torch.testing.assert_close(found.whole, BACKBONES[name].fit(network, examples, [1, 2]))
    for i in range(len(examples)):
        others = BACKBONES[name].fit(network, examples[:i] + examples[i + 1 :], [1, 2])
        for block in (1, 2):
            torch.testing.assert_close(found.without[block][i], others[block], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["caa", "pca"])
def test_an_item_that_is_compared_with_nothing_moves_nothing(network, name):
    examples = make_examples("weighted")
    examples[2] = replace(examples[2], negative=None)
    found = BACKBONES[name].fit_without_each(network, examples, [1])
    moved = movements(found, {1: 1.0})
    assert moved[2] == 0 and all(m > 0 for i, m in enumerate(moved) if i != 2)


def test_the_only_item_is_all_that_the_vector_is(network):
    found = BACKBONES["caa"].fit_without_each(network, make_examples("uniform")[:1], [1])
    assert not found.without[1].any()
    optimized = Optimized().fit_without_each(network, make_examples("uniform")[:1], [1])
    assert not optimized.without[1].any() and optimized.whole[1].any()


def plain_steps(network, model, examples: list[Example], steps: int) -> torch.Tensor:
    """The optimized vector of block 1 by the plainest program: whole model, one loss, one parameter."""
    norms = network.residual_norms(network.prepare([e.text for e in examples], 1), [1])
    share = torch.zeros(network.width, requires_grad=True)
    optimizer = torch.optim.Adam([share], lr=learning_rate(steps))
    total = sum(sum(e.weights) for e in examples)
    for _ in range(steps):
        optimizer.zero_grad()
        losses = [
            -(torch.tensor(e.weights) * token_logprobs(model, e.text, {1: share * norms[1]})).sum() for e in examples
        ]
        (sum(losses) / total).backward()
        optimizer.step()
        with torch.no_grad():
            share *= min(1.0, MAX_DOSE / float(share.norm()))
    return share.detach() * norms[1]


def test_the_optimized_vector_is_that_of_plain_steps(network, model):
    examples = make_examples("weighted")
    found = Optimized(steps=4).fit_without_each(network, examples, [1])
    torch.testing.assert_close(found.whole[1], plain_steps(network, model, examples, 4), atol=1e-4, rtol=1e-3)


def without(examples: list[Example], i: int) -> list[Example]:
    """The item stays where it was, but no token of it counts."""
    return [replace(e, weights=(0.0,) * len(e.weights)) if j == i else e for j, e in enumerate(examples)]


def test_after_one_step_the_vector_without_an_item_is_exact(network):
    examples = make_examples("weighted")
    found = Optimized(steps=1).fit_without_each(network, examples, (1, 2))
    for i in range(len(examples)):
        others = Optimized(steps=1).fit(network, without(examples, i), (1, 2))
        for block in (1, 2):
            torch.testing.assert_close(found.without[block][i], others[block], atol=1e-4, rtol=1e-3)


def test_after_all_steps_it_is_nearly_the_one_fitted_anew(network):
    examples = make_examples("weighted")
    found = Optimized().fit_without_each(network, examples, (1, 2))
    norms = network.residual_norms(network.prepare([e.text for e in examples], 1), (1, 2))
    anew = [Optimized().fit(network, without(examples, i), (1, 2)) for i in range(len(examples))]
    refits = Fits(found.whole, {block: torch.stack([fit[block] for fit in anew]) for block in (1, 2)})
    told, true = movements(found, norms), movements(refits, norms)
    assert spearmanr(told, true).statistic >= 0.9
    assert max(abs(a - b) for a, b in zip(told, true, strict=True)) < 0.1 * max(true)


def test_shares_add_up_and_the_most_moving_comes_first():
    whole = {1: torch.tensor([1.0, 0.0])}
    rows = torch.tensor([[2.0, 0.0], [1.0, 1.0], [0.0, 3.0], [-1.0, 0.0]])
    examples = [replace(e, item_id=name) for e, name in zip(make_examples("uniform"), "abcd", strict=False)]
    found = influences(Fits(whole, {1: rows}), examples, {1: 7.0})
    assert [one.item_id for one in found] == ["d", "c", "b"]  # a changes the length only
    assert [one.moved for one in found] == pytest.approx([2.0, 2**0.5, (2 - 2**0.5) ** 0.5])
    assert sum(one.share for one in found) == pytest.approx(1.0)
    assert found[0].share == pytest.approx(found[0].moved / sum(one.moved for one in found))


def test_blocks_count_by_their_shares_of_the_residual_norm():
    whole = {1: torch.tensor([1.0, 0.0]), 2: torch.tensor([100.0, 0.0])}
    rows = {1: torch.tensor([[0.0, 1.0]]), 2: torch.tensor([[100.0, 0.0]])}
    (moved,) = movements(Fits(whole, rows), {1: 1.0, 2: 100.0})
    assert moved == pytest.approx(1.0)
