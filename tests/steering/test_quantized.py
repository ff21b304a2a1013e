"""The chat model in the place of the estimator: llama.cpp against torch on the same weights."""

from __future__ import annotations

import pytest
import torch

from steering.backbones import BACKBONES
from steering.backbones.base import Example
from steering.backbones.optimized import Optimized
from steering.calibration.harm import NeutralKl
from steering.calibration.heldout import HeldOut
from steering.calibration.tuning import candidate_count
from steering.errors import EstimatorError
from steering.learning import score_history
from steering.models.activations import ChatActivations, TorchActivations, activations_of
from steering.models.estimator import (
    Estimator,
    chosen_estimator,
    device_with_room,
    fitting_estimator,
    memory_needed,
    quantized_estimator,
)
from steering.models.quantized import QuantizedNetwork
from tests.steering.oracles import make_directions, make_texts

BLOCK = 1


@pytest.fixture
def quantized(tiny_chat) -> QuantizedNetwork:
    return QuantizedNetwork(tiny_chat)


def test_nll_is_that_of_torch(network, quantized, texts):
    for directions in (None, {}, make_directions(BLOCK, norm=3.0)):
        expected, found = (HeldOut(model, texts, BLOCK).nll(directions) for model in (network, quantized))
        assert found.tokens.tolist() == expected.tokens.tolist()
        assert found.sums == pytest.approx(expected.sums, abs=2e-2, rel=1e-3)


def test_kl_is_that_of_torch(network, quantized, texts):
    directions = make_directions(BLOCK, norm=2.0)
    expected, found = (NeutralKl(model, texts, BLOCK) for model in (network, quantized))
    assert found(directions) == pytest.approx(expected(directions), rel=0.02)
    assert found({}) == pytest.approx(0.0, abs=1e-4)
    norms = expected.residual_norms((1, 2))
    assert found.residual_norms((1, 2)) == pytest.approx(norms, rel=1e-2)


def test_effects_are_those_of_torch(estimator, quantized, items):
    by_llama = Estimator(quantized, estimator.tokenizer, "gguf")
    expected, found = (score_history(e, items, {}, lambda _: None, lambda _: None) for e in (estimator, by_llama))
    for item_id, effects in expected.effects.items():
        assert found.effects[item_id].starts == effects.starts
        # llama.cpp keeps keys and values in half precision; the effects of this model reach 5 nats.
        assert found.effects[item_id].effects == pytest.approx(effects.effects, abs=0.05)


@pytest.mark.parametrize("name", [name for name, backbone in BACKBONES.items() if not backbone.needs_gradients])
def test_methods_without_gradients_give_the_vector_of_torch(network, quantized, name):
    texts, others = make_texts(4, seed=5), make_texts(4, seed=6)
    made = [
        Example(t, (1.0,) * len(t.text_ids), o, o.__class__(o.prompt_ids, t.text_ids))
        for t, o in zip(texts, others, strict=True)
    ]
    expected, found = (BACKBONES[name].fit(model, made, [1, 2]) for model in (network, quantized))
    for block in (1, 2):
        assert float(torch.cosine_similarity(found[block], expected[block], dim=0)) > 0.99


def test_what_needs_gradients_says_so_and_is_not_tried(network, quantized, texts):
    with pytest.raises(ValueError, match="needs gradients"):
        Optimized().fit(quantized, [Example(texts[0], (1.0,) * len(texts[0].text_ids), None)], [1])
    assert 0 < candidate_count(quantized) < candidate_count(network)


def test_each_model_is_its_own_source_of_activations(network, quantized):
    assert isinstance(activations_of(network), TorchActivations)
    assert isinstance(activations_of(quantized), ChatActivations)
    with pytest.raises(TypeError, match="no activations"):
        activations_of(object())


def test_the_tokenizer_comes_from_the_file(tiny_path, tiny_chat, tokenizer):
    made = quantized_estimator(tiny_path, tiny_chat, "abc")
    assert made.fingerprint == "abc-gguf"
    assert made.limits.context == tiny_chat.window
    assert made.tokenizer("hello you")["input_ids"] == tokenizer("hello you")["input_ids"]


def test_a_model_too_large_for_torch_is_read_by_llama_cpp_and_that_is_said(tiny_path, tiny_chat, tmp_path):
    small = fitting_estimator(tiny_path, tmp_path, "abc", tiny_chat, free=2**40)
    large = fitting_estimator(tiny_path, tmp_path, "abc", tiny_chat, free=2**20)
    assert small.network.gives_gradients and not small.limitation
    assert isinstance(large.network, QuantizedNetwork)
    assert large.limitation.endswith("0.0 GiB are free; close other programs or choose a smaller model")


def test_what_learns_can_be_chosen(tiny_path, tiny_chat, tmp_path):
    def choose(choice, free=2**40):
        return chosen_estimator(choice, tiny_path, tmp_path, "abc", tiny_chat, free)

    assert choose("automatic").network.gives_gradients
    assert not choose("automatic", free=0).network.gives_gradients
    assert choose("torch", free=0).network.gives_gradients
    in_llama = choose("llama.cpp")
    assert isinstance(in_llama.network, QuantizedNetwork)
    assert "as the settings have it" in in_llama.limitation


def test_a_folder_of_safetensors_can_learn_and_has_a_mark_of_its_own(tiny_path, tiny_chat, tmp_path):
    converted = chosen_estimator("torch", tiny_path, tmp_path / "cache", "abc", tiny_chat, 0)
    folder = tmp_path / "cache" / "abc"
    from_folder = chosen_estimator(str(folder), tiny_path, tmp_path / "cache", "abc", tiny_chat, 0)
    weights = zip(from_folder.network.decoder.parameters(), converted.network.decoder.parameters(), strict=True)
    # One may lie on a GPU, in bfloat16 as the file has it.
    assert all(torch.equal(one.float().cpu(), other.float().cpu()) for one, other in weights)
    assert from_folder.fingerprint != converted.fingerprint
    (folder / "config.json").rename(folder / "other.json")
    for bad in (folder, tmp_path / "nowhere"):
        with pytest.raises(EstimatorError, match="name another estimator"):
            chosen_estimator(str(bad), tiny_path, tmp_path / "cache", "abc", tiny_chat, 0)


def test_a_conversion_needs_more_memory_than_what_was_converted(tmp_path):
    before = memory_needed(10**9, tmp_path, "abc")
    (tmp_path / "abc").mkdir()
    (tmp_path / "abc" / "config.json").touch()
    assert 2 * 10**9 < memory_needed(10**9, tmp_path, "abc") < before


@pytest.mark.parametrize(
    ("on_gpu", "free", "converted", "expected"),
    [
        (8, 16, False, "cuda"),
        (2, 16, False, "cpu"),
        (8, 3, True, "cuda"),
        (8, 3, False, None),
        (2, 3, True, None),
    ],
)
def test_a_model_learns_where_there_is_room_the_gpu_first(monkeypatch, tmp_path, on_gpu, free, converted, expected):
    monkeypatch.setattr("steering.models.estimator.pick_device", lambda: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (on_gpu * 10**9, 80 * 10**9))
    if converted:
        (tmp_path / "abc").mkdir()
        (tmp_path / "abc" / "config.json").touch()
    found = device_with_room(10**9, free * 10**9, tmp_path, "abc")
    assert (found and found.type) == expected
