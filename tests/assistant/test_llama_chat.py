"""The chat model as a rebuild sees it: replies that are written side by side, against one at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.engine.llama import supports_gpu
from assistant.engine.protocol import Sampling
from assistant.errors import EngineError
from assistant.rebuild.llama_chat import LlamaChat
from steering.control_vector import ControlVector
from tests.tiny_models import write_tiny_model

REQUESTS = ["hello", "", "the garden " * 40, "How do I cook rice?", "日本語 😀", "x" * 5000, "hello"]
SAMPLINGS = {"greedy": Sampling(temperature=0), "drawn": Sampling(temperature=0.9), "dry": Sampling(dry_multiplier=0.8)}
TOKENS = 12


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="module")
def vector(path) -> ControlVector:
    width = LlamaChat(path, Sampling(), 1).shape[1]
    return ControlVector({1: np.random.default_rng(0).standard_normal(width).astype(np.float32) * 3}, "llama")


@pytest.mark.skipif(supports_gpu(), reason="a GPU rounds a batch of several otherwise than one, and random weights tie")
@pytest.mark.parametrize("steered", [False, True], ids=["plain", "steered"])
@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
def test_replies_side_by_side_are_those_one_at_a_time(path, vector, sampling, steered):
    given = vector if steered else None
    single, several = LlamaChat(path, sampling, 1), LlamaChat(path, sampling, 3)
    expected = [
        single.reply(request, system="Be brief.", vector=given, max_tokens=TOKENS, seed=place)
        for place, request in enumerate(REQUESTS)
    ]
    counts: list[int] = []
    found = several.replies(REQUESTS, system="Be brief.", vector=given, max_tokens=TOKENS, on_reply=counts.append)
    assert found == expected
    assert counts == [3, 6, 7]
    assert several.replies(REQUESTS, system="Be brief.", vector=given, max_tokens=TOKENS) == expected


def test_a_vector_is_gone_with_the_call_that_had_it(path, vector):
    chat = LlamaChat(path, SAMPLINGS["greedy"], 2)
    plain = chat.replies(REQUESTS, max_tokens=TOKENS)
    assert chat.replies(REQUESTS, vector=vector, max_tokens=TOKENS) != plain
    assert chat.replies(REQUESTS, max_tokens=TOKENS) == plain


def test_nobody_asked_and_nobody_answers(path):
    counts: list[int] = []
    assert LlamaChat(path, Sampling(), 2).replies([], max_tokens=TOKENS, on_reply=counts.append) == []
    assert counts == []


def test_a_vector_of_another_model_is_refused_and_the_next_replies_are_as_ever(path):
    chat = LlamaChat(path, SAMPLINGS["greedy"], 2)
    before = chat.replies(REQUESTS[:3], max_tokens=TOKENS)
    foreign = ControlVector({1: np.ones(7, np.float32)}, "llama")
    with pytest.raises(EngineError, match="another model"):
        chat.replies(REQUESTS[:3], vector=foreign, max_tokens=TOKENS)
    assert chat.replies(REQUESTS[:3], max_tokens=TOKENS) == before


@pytest.mark.bundled
def test_the_bundled_model_says_the_same_side_by_side():
    from assistant.models.bundled import bundled_model

    model = bundled_model()
    if model is None:
        pytest.skip("the bundled model is not installed")
    sampling = replace(Sampling(), temperature=0.7)
    asked = ["How do I keep bread fresh?", "Is it worth repairing an old bicycle?", "What grows in a shady garden?"]
    single = LlamaChat(model, sampling, 1)
    one_by_one = [single.reply(request, max_tokens=TOKENS, seed=place) for place, request in enumerate(asked)]
    assert LlamaChat(model, sampling, 2).replies(asked, max_tokens=TOKENS) == one_by_one
