from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from steering.backbones import BACKBONES
from steering.backbones.base import Example
from steering.backbones.differences import DifferenceBackbone
from steering.backbones.mean_difference import MeanDifference
from steering.backbones.principal import PrincipalComponent
from steering.backbones.prompt_contrast import PromptContrast
from steering.backbones.summed import Summed, summed
from steering.models.activations import ChatActivations
from steering.models.batches import ScoredText
from tests.steering.oracles import block_output, make_texts

DIFFERENCES = {name: method for name, method in BACKBONES.items() if isinstance(method, DifferenceBackbone)}


def make_examples(kind: str) -> list[Example]:
    generator = torch.Generator().manual_seed(3)
    made = []
    for text, other, prompt in zip(*(make_texts(5, seed=seed) for seed in (11, 12, 13)), strict=True):
        drawn = torch.rand(len(text.text_ids), generator=generator)
        weights = {"uniform": torch.ones_like(drawn), "weighted": drawn, "few": (drawn > 0.8).float()}[kind]
        negative = ScoredText(text.prompt_ids, other.text_ids)
        described = ScoredText(prompt.prompt_ids + text.prompt_ids, text.text_ids)
        made.append(Example(text, tuple(weights.tolist()), negative, described))
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


def mean_pooled_differences(model, examples: list[Example], block: int) -> torch.Tensor:
    """To the negative, [examples, width]."""
    return torch.stack(
        [
            weighted_mean(own_positions(model, e.text, block), torch.tensor(e.weights))
            - own_positions(model, e.negative, block).mean(dim=0)
            for e in examples
        ]
    )


@pytest.mark.parametrize("kind", ["uniform", "weighted", "few"])
def test_mean_difference_equals_hooks_on_single_texts(network, model, kind):
    examples = make_examples(kind)
    found = MeanDifference().fit(network, examples, [0, 2])
    assert found.keys() == {0, 2}
    for block, direction in found.items():
        expected = mean_pooled_differences(model, examples, block).mean(dim=0)
        torch.testing.assert_close(direction, expected, atol=1e-5, rtol=1e-4)


def test_last_token_pooling_takes_the_last_position(network, model):
    examples = make_examples("weighted")
    differences = [own_positions(model, e.text, 1)[-1] - own_positions(model, e.negative, 1)[-1] for e in examples]
    found = MeanDifference("last").fit(network, examples, [1])[1]
    torch.testing.assert_close(found, torch.stack(differences).mean(dim=0), atol=1e-5, rtol=1e-4)


def test_last_token_pooling_passes_over_tokens_without_weight(network, model):
    """As a vetoed last word."""
    example = max(make_examples("uniform"), key=lambda e: len(e.weights))
    length = len(example.weights)
    vetoed = replace(example, weights=(*(1.0,) * (length - 2), 0.0, 0.0))
    expected = own_positions(model, example.text, 1)[length - 3] - own_positions(model, example.negative, 1)[-1]
    found = MeanDifference("last").fit(network, [vetoed], [1])[1]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["uniform", "weighted", "few"])
def test_prompt_contrast_equals_hooks_on_single_texts(network, model, kind):
    examples = make_examples(kind)
    for block, direction in PromptContrast().fit(network, examples, [1, 2]).items():
        changes = [
            weighted_mean(
                own_positions(model, e.described, block) - own_positions(model, e.text, block), torch.tensor(e.weights)
            )
            for e in examples
        ]
        torch.testing.assert_close(direction, torch.stack(changes).mean(dim=0), atol=1e-5, rtol=1e-4)


def test_the_principal_component_is_numpys_without_centring(network, model):
    examples = make_examples("weighted")
    for block, direction in PrincipalComponent().fit(network, examples, [1, 2]).items():
        differences = mean_pooled_differences(model, examples, block).double().numpy()
        mean = differences.mean(axis=0)
        first = np.linalg.svd(differences)[2][0]
        expected = first * np.sign(first @ mean) * np.linalg.norm(mean)
        np.testing.assert_allclose(direction.numpy(), expected, atol=1e-3 * np.linalg.norm(mean))
        centred = np.linalg.svd(differences - mean)[2][0]
        assert abs(centred @ expected) < 0.999 * np.linalg.norm(expected), "centring would have shown"


def test_the_principal_component_of_one_example_is_its_difference(network):
    """Of each: a singular vector comes with either sign."""
    for example in make_examples("weighted"):
        found, expected = (m.fit(network, [example], [1])[1] for m in (PrincipalComponent(), MeanDifference()))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_the_principal_component_points_along_the_mean(network):
    examples = make_examples("uniform")
    turned = [replace(e, text=e.negative, negative=e.text, weights=(1.0,) * len(e.negative.text_ids)) for e in examples]
    one, other = (PrincipalComponent().fit(network, made, [1])[1] for made in (examples, turned))
    torch.testing.assert_close(one, -other, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", ["caa", "stylevector", "pca"])
def test_only_examples_with_a_negative_count(network, name):
    examples = make_examples("weighted")
    partly = [replace(e, negative=None) if i % 2 else e for i, e in enumerate(examples)]
    found = BACKBONES[name].fit(network, partly, [1])[1]
    torch.testing.assert_close(found, BACKBONES[name].fit(network, examples[::2], [1])[1], atol=1e-5, rtol=1e-4)


def test_only_examples_with_a_description_count(network):
    examples = make_examples("weighted")
    partly = [replace(e, described=None) if i % 2 else e for i, e in enumerate(examples)]
    found = PromptContrast().fit(network, partly, [1])[1]
    torch.testing.assert_close(found, PromptContrast().fit(network, examples[::2], [1])[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("caa", "needs a negative"),
        ("stylevector", "needs a negative"),
        ("pca", "needs a negative"),
        ("prompt-contrast", "needs a description"),
    ],
)
def test_nothing_to_compare_with_is_refused(network, name, reason):
    bare = [replace(e, negative=None, described=None) for e in make_examples("weighted")]
    with pytest.raises(ValueError, match=reason):
        BACKBONES[name].fit(network, bare, [1])


def test_the_weights_matter(network):
    for method in (MeanDifference(), PromptContrast(), PrincipalComponent()):
        uniform, weighted = (method.fit(network, make_examples(kind), [1])[1] for kind in ("uniform", "weighted"))
        assert float((uniform - weighted).norm()) > 0.01 * float(uniform.norm())


def test_a_sum_gives_both_methods_the_same_share(network):
    examples = make_examples("weighted")
    methods = MeanDifference(), PromptContrast()
    found = Summed(*methods).fit(network, examples, [1, 2])
    for block in (1, 2):
        one, other = (method.fit(network, examples, [block])[block].numpy() for method in methods)
        expected = one / np.linalg.norm(one) + other / np.linalg.norm(other)
        np.testing.assert_allclose(found[block].numpy(), expected, atol=1e-5)


def test_a_direction_of_zeros_adds_nothing():
    found = summed({1: torch.zeros(3)}, {1: torch.tensor([0.0, 3.0, 4.0])})
    torch.testing.assert_close(found[1], torch.tensor([0.0, 0.6, 0.8]))


def test_a_sum_needs_negatives_where_one_of_its_methods_does():
    caa, contrast = MeanDifference(), PromptContrast()
    assert Summed(caa, contrast).needs_negatives and Summed(contrast, caa).needs_negatives
    assert not Summed(contrast, contrast).needs_negatives


@pytest.mark.parametrize("name", DIFFERENCES)
def test_the_chat_model_gives_the_directions_that_torch_gives(network, tiny_chat, name):
    examples = make_examples("weighted")
    by_torch = BACKBONES[name].fit(network, examples, [1, 2])
    by_chat = DIFFERENCES[name].directions(ChatActivations(tiny_chat), examples, [1, 2])
    for block, direction in by_torch.items():
        assert torch.cosine_similarity(by_chat[block], direction, dim=0) > 0.999


@pytest.mark.parametrize("name", BACKBONES)
def test_every_method_gives_the_same_direction_again(network, name):
    examples = make_examples("weighted")
    first, second = (BACKBONES[name].fit(network, examples, [1])[1] for _ in range(2))
    assert first.shape == (network.width,) and first.dtype == torch.float32
    assert torch.isfinite(first).all()
    torch.testing.assert_close(first, second, atol=1e-6, rtol=1e-5)
