"""What a GPU computes is what the CPU computes, and it is used without being asked for; skipped where there is none."""

from __future__ import annotations

import pytest
import torch

from steering.backbones.base import Example
from steering.backbones.mean_difference import MeanDifference
from steering.backbones.optimized import Optimized
from steering.calibration.harm import NeutralKl
from steering.calibration.heldout import HeldOut
from steering.effects.history import plan
from steering.effects.scoring import Scorer
from steering.effects.token_effects import TokenEffects, score
from steering.models.batches import ScoredText
from steering.models.estimator import Estimator, load_estimator, pick_device, pick_dtype
from steering.models.limits import MAX_HISTORY_TOKENS
from steering.models.network import Network
from tests.steering.conftest import load_float32
from tests.steering.oracles import make_directions, make_texts

pytestmark = pytest.mark.skipif(pick_device().type == "cpu", reason="no GPU that torch can use")
only_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")

BLOCKS = (1, 2)


@pytest.fixture(scope="module")
def gpu(tiny_path) -> Network:
    """The network of the CPU, in float32 as well."""
    return Network(load_float32(tiny_path).to(pick_device()))


def effects_of(estimator: Estimator, items) -> dict[str, TokenEffects]:
    found: dict[str, TokenEffects] = {}
    score(estimator, plan(items, estimator.tokenizer, MAX_HISTORY_TOKENS), found.update)
    return found


def on_gpu(directions):
    return {block: direction.to(pick_device()) for block, direction in directions.items()}


def test_the_estimator_lies_on_the_gpu_without_a_flag(tiny_path, tmp_path):
    network = load_estimator(tiny_path, tmp_path, "tiny").network
    assert network.device.type == pick_device().type
    assert next(network.blocks.parameters()).dtype == pick_dtype(pick_device())


def test_effects_are_those_of_the_cpu(gpu, network, tokenizer, items):
    expected = effects_of(Estimator(network, tokenizer, "cpu"), items)
    found = effects_of(Estimator(gpu, tokenizer, "gpu"), items)
    assert found.keys() == expected.keys()
    for item_id, effects in expected.items():
        assert found[item_id].effects == pytest.approx(effects.effects, abs=1e-4)


def test_gain_and_harm_are_those_of_the_cpu(gpu, network, texts):
    directions = make_directions(2, norm=3.0)
    held, expected = (HeldOut(n, texts, 1).nll(d) for n, d in ((gpu, on_gpu(directions)), (network, directions)))
    assert held.sums == pytest.approx(expected.sums, abs=1e-3)
    assert held.tokens.tolist() == expected.tokens.tolist()
    kl = NeutralKl(gpu, texts, 1)(on_gpu(directions))
    assert kl == pytest.approx(NeutralKl(network, texts, 1)(directions), rel=1e-3)


@pytest.mark.parametrize("backbone", [MeanDifference(), Optimized()])
def test_vectors_are_those_of_the_cpu(gpu, network, backbone):
    texts, negatives = make_texts(6, seed=2), make_texts(6, seed=3)
    examples = [Example(text, (1.0,) * len(text.text_ids), other) for text, other in zip(texts, negatives, strict=True)]
    found, expected = (backbone.fit(n, examples, BLOCKS) for n in (gpu, network))
    for block in BLOCKS:
        assert found[block].device.type == pick_device().type
        cosine = torch.nn.functional.cosine_similarity(found[block].cpu(), expected[block], dim=0)
        assert float(cosine) > 0.999


@only_cuda
def test_memory_of_the_gpu_that_runs_out_halves_the_batch(gpu):
    texts = [ScoredText(text.prompt_ids, text.text_ids) for text in make_texts(6000, seed=8)]
    expected = Scorer(gpu, 8192).logprobs(texts)
    torch.cuda.empty_cache()
    tried: list[int] = []
    handle = gpu.norm.register_forward_pre_hook(lambda _module, args: tried.append(len(args[0])))
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**27) / total)
    try:
        found = Scorer(gpu, 10**7).logprobs(texts)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        handle.remove()
    assert len(tried) > 1 and max(tried) < len(texts)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
