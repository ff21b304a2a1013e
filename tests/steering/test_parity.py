"""Does a vector do in llama.cpp, in the quantized model, what it did in torch? One block off must show."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from torch import Tensor

from assistant.engine.protocol import Sampling
from assistant.rebuild.llama_chat import LlamaChat
from steering.backbones.base import Example
from steering.backbones.mean_difference import MeanDifference
from steering.calibration.harm import plain_text
from steering.control_vector import ControlVector
from steering.errors import ParityError
from steering.material import scored_text
from steering.neutral import load_neutral_set
from steering.parity import MAX_KL, check_same_network, check_same_tokens, mean_kl
from tests.steering.oracles import make_directions, make_items, make_texts
from tests.tiny_models import write_tiny_model

DOSE = 0.15
CLOSE = 0.02
"""Nats between the same vector in llama.cpp and in torch; DESIGN measured 0.001 to 0.009."""


@pytest.fixture(scope="module")
def bundled_probes(bundled_estimator):
    return [plain_text(bundled_estimator.tokenizer, text) for text in load_neutral_set().texts[:2]]


def person_direction(estimator, block: int) -> Tensor:
    """Mean difference of a few texts against neutral ones."""
    tokenizer, neutral = estimator.tokenizer, load_neutral_set().texts
    made = []
    for item, other in zip(make_items()[:6], neutral[10:], strict=False):
        text = scored_text(tokenizer, item)
        negative = plain_text(tokenizer, other)
        made.append(Example(text, (1.0,) * len(text.text_ids), negative))
    return MeanDifference().fit(estimator.network, made, [block])[block]


@pytest.fixture(scope="module", params=["random", "mean difference"])
def bundled_direction(request, bundled_estimator, bundled_probes) -> Mapping[int, Tensor]:
    """A direction at half depth at DOSE of the residual norm."""
    network = bundled_estimator.network
    block = len(network.blocks) // 2
    scale = network.residual_norms(network.prepare(bundled_probes, block), [block])[block]
    if request.param == "random":
        return make_directions(block, norm=DOSE * scale, width=network.width)
    direction = person_direction(bundled_estimator, block)
    return {block: direction / direction.norm() * DOSE * scale}


@pytest.mark.bundled
def test_an_exported_vector_does_the_same_in_llama_cpp(
    bundled_estimator, bundled_chat, bundled_probes, bundled_direction, tmp_path
):
    network = bundled_estimator.network
    ((block, direction),) = bundled_direction.items()
    made = ControlVector({block: direction.float().cpu().numpy()}, bundled_chat.architecture)
    made.write_gguf(tmp_path / "v.gguf")
    vector = ControlVector.read_gguf(tmp_path / "v.gguf")
    kl = {
        where: mean_kl(network, bundled_chat, bundled_probes, directions={where: direction}, vector=vector)
        for where in (block - 1, block, block + 1)
    }
    assert kl[block] < CLOSE, kl
    assert kl[block - 1] >= 5 * kl[block], kl
    assert kl[block + 1] >= 5 * kl[block], kl


@pytest.mark.bundled
def test_the_bundled_model_is_itself(bundled_estimator, bundled_chat, bundled_probes, tiny_chat):
    network = bundled_estimator.network
    assert 0 <= check_same_network(network, bundled_chat, bundled_probes) < CLOSE
    shape = f"{len(network.blocks)} blocks of width 576 and 49152 tokens, the chat model 3, 64 and 279"
    with pytest.raises(ParityError, match=f"different models: the estimator has {shape}"):
        check_same_network(network, tiny_chat, bundled_probes)


def test_the_tiny_model_is_itself(network, tiny_chat, texts):
    assert check_same_network(network, tiny_chat, texts) < 1e-4


def test_other_weights_of_the_same_shape_are_refused(network, tmp_path, texts):
    other = LlamaChat(write_tiny_model(tmp_path / "other.gguf", seed=7), Sampling(), threads=1)
    with pytest.raises(ParityError, match=rf"differ by \d+\.\d+ nats on plain text \(at most {MAX_KL}"):
        check_same_network(network, other, texts)


@pytest.mark.parametrize("block", [1, 2])
def test_a_vector_acts_on_the_output_of_its_block(network, tiny_chat, block):
    texts = make_texts(3, seed=21)
    (direction,) = make_directions(block, norm=4.0).values()
    vector = ControlVector({block: direction.numpy()}, "llama")
    kl = {
        where: mean_kl(network, tiny_chat, texts, directions={where: direction}, vector=vector)
        for where in range(len(network.blocks))
    }
    assert kl.pop(block) < 1e-4
    assert min(kl.values()) > 1e-2
    assert mean_kl(network, tiny_chat, texts) < 1e-4, "the vector is gone when none is given"


PLAIN = "Hello you and the user 12 345,  it's  über\u00a0日本語 😀👩‍👩‍👧‍👦\n\n\tdef f(x): return x_1 | שלום e\u0301"


def test_the_converted_tokenizer_cuts_as_the_chat_model_does(tokenizer, tiny_chat):
    assert check_same_tokens(tokenizer, tiny_chat, [PLAIN]) == 1.0


@pytest.mark.bundled
def test_the_bundled_models_converted_tokenizer_cuts_as_the_chat_model_does(bundled_tokenizer, bundled_chat):
    assert check_same_tokens(bundled_tokenizer, bundled_chat, [PLAIN, *load_neutral_set().texts]) >= 0.99


def test_an_estimator_with_another_tokenizer_is_refused(bundled_tokenizer, tiny_chat):
    with pytest.raises(ParityError, match=r"tokenizer is not the chat model's: they cut only \d+% of plain text alike"):
        check_same_tokens(bundled_tokenizer, tiny_chat, ["Hello you and the user. " * 5])
