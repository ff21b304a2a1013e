"""The two sources give the same: block k of llama.cpp is block k of torch, and not one of its neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from steering.backbones.base import Example
from steering.backbones.mean_difference import MeanDifference
from steering.calibration.harm import plain_text
from steering.control_vector import ControlVector
from steering.material import scored_text
from steering.models.activations import Activations, ChatActivations, TorchActivations
from steering.neutral import load_neutral_set
from tests.steering.oracles import block_output, make_directions, make_items

MIN_COSINE = 0.98
"""Of the mean differences of the quantized and of the bfloat16 model."""


@pytest.fixture(params=["torch", "llama.cpp"])
def activations(request, network, tiny_chat) -> Activations:
    return TorchActivations(network) if request.param == "torch" else ChatActivations(tiny_chat)


def make_weights(texts) -> list[tuple[float, ...]]:
    """Random ones, of one text 1 on its last token, of one all zero."""
    generator = torch.Generator().manual_seed(4)
    weights = [tuple(torch.rand(len(t.text_ids), generator=generator).tolist()) for t in texts]
    weights[1] = (*(0.0,) * (len(texts[1].text_ids) - 1), 1.0)
    weights[2] = (0.0,) * len(texts[2].text_ids)
    return weights


def expected_mean(model, text, weights, block: int) -> Tensor:
    own = block_output(model, text.prompt_ids + text.text_ids, block)[len(text.prompt_ids) :]
    w = torch.tensor(weights) if any(weights) else torch.ones(len(weights))
    return (w[:, None] * own).sum(dim=0) / w.sum()


@pytest.mark.parametrize("blocks", [[0, 1, 2], [2], [2, 0]])
def test_each_text_is_pooled_over_its_own_positions(activations, model, texts, blocks):
    weights = make_weights(texts)
    found = activations.pooled(texts, weights, blocks)
    assert found.keys() == set(blocks)
    for block, means in found.items():
        expected = torch.stack([expected_mean(model, t, w, block) for t, w in zip(texts, weights, strict=True)])
        assert means.dtype == torch.float32
        torch.testing.assert_close(means, expected, atol=5e-3 * float(expected.abs().max()), rtol=0)


def test_last_token_pooling_is_the_last_position(activations, model, texts):
    last = [(*(0.0,) * (len(t.text_ids) - 1), 1.0) for t in texts]
    means = activations.pooled(texts, last, [1])[1]
    for text, mean in zip(texts, means, strict=True):
        output = block_output(model, text.prompt_ids + text.text_ids, 1)
        assert torch.linalg.norm(mean - output[-1]) < 0.01 * torch.linalg.norm(output[-1])
        assert torch.linalg.norm(mean - output[-2]) > 0.1 * torch.linalg.norm(output[-1])


def test_pooling_keeps_the_order_of_the_texts(activations, texts):
    weights = make_weights(texts)
    together = activations.pooled(texts, weights, [1])[1]
    apart = torch.cat([activations.pooled([t], [w], [1])[1] for t, w in zip(texts, weights, strict=True)])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=0)


def test_the_chat_models_own_vector_does_not_reach_the_activations(tiny_chat, texts):
    ids = texts[0].prompt_ids + texts[0].text_ids
    before = tiny_chat.residuals(ids, range(3))
    pushed = {block: d.numpy() for block, d in make_directions(1, 2, norm=50.0).items()}
    plain, steered = (tiny_chat.logprobs(ids, vector) for vector in (None, ControlVector(pushed, "llama")))
    assert not np.allclose(plain, steered)
    for block, rows in tiny_chat.residuals(ids, range(3)).items():
        assert np.array_equal(rows, before[block])


@pytest.fixture(scope="module")
def bundled_examples(bundled_estimator) -> list[Example]:
    tokenizer, neutral = bundled_estimator.tokenizer, load_neutral_set().texts
    made = []
    for item, other in zip(make_items()[:8], neutral[10:], strict=False):
        text = scored_text(tokenizer, item)
        made.append(Example(text, (1.0,) * len(text.text_ids), plain_text(tokenizer, other)))
    return made


@pytest.mark.bundled
@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_both_sources_give_the_same_vector_of_the_bundled_model(
    bundled_estimator, bundled_chat, bundled_examples, pooling
):
    blocks = range(1, len(bundled_estimator.network.blocks))
    method = MeanDifference(pooling)
    by_torch = method.fit(bundled_estimator.network, bundled_examples, blocks)
    by_chat = method.directions(ChatActivations(bundled_chat), bundled_examples, blocks)
    cosines = {k: float(torch.cosine_similarity(by_chat[k], by_torch[k], dim=0)) for k in blocks}
    assert min(cosines.values()) >= MIN_COSINE, cosines


@pytest.mark.bundled
def test_a_block_of_the_bundled_model_is_not_one_of_its_neighbours(bundled_estimator, bundled_chat, bundled_examples):
    blocks = range(len(bundled_estimator.network.blocks))
    texts = [e.text for e in bundled_examples]
    weights = [e.weights for e in bundled_examples]
    by_torch = TorchActivations(bundled_estimator.network).pooled(texts, weights, blocks)
    by_chat = ChatActivations(bundled_chat).pooled(texts, weights, blocks)
    for block in blocks:
        distances = {other: float((by_chat[block] - by_torch[other]).norm()) for other in blocks}
        assert min(distances, key=distances.__getitem__) == block, distances
