"""The chat model as a rebuild sees it: replies that are written side by side, against one at a time.

Side by side in threads they are the very same; side by side in one window they are so but for rounding, so there each
token must be one that the model by itself finds about as likely as its first choice.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.engine.llama import supports_gpu
from assistant.engine.protocol import Sampling, Turn
from assistant.errors import EngineError
from assistant.rebuild import llama_chat
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


@pytest.fixture
def one_at_a_time(monkeypatch) -> None:
    """In each window."""
    monkeypatch.setattr(llama_chat, "WRITER_REPLIES", 1)


@pytest.mark.usefixtures("one_at_a_time")
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
    assert counts == sorted(set(counts)) and counts[-1] == len(REQUESTS)
    assert several.replies(REQUESTS, system="Be brief.", vector=given, max_tokens=TOKENS) == expected


@pytest.mark.usefixtures("one_at_a_time")
@pytest.mark.skipif(supports_gpu(), reason="a GPU rounds a batch of several otherwise than one, and random weights tie")
def test_each_request_may_have_a_system_prompt_of_its_own(path):
    sampling = SAMPLINGS["greedy"]
    single, several = LlamaChat(path, sampling, 1), LlamaChat(path, sampling, 3)
    expected = [single.reply(request, system=request[:9], max_tokens=TOKENS) for request in REQUESTS]
    assert several.replies(REQUESTS, system=lambda request: request[:9], max_tokens=TOKENS) == expected


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


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
def test_the_same_call_gives_the_same_replies(path, vector, sampling):
    chat = LlamaChat(path, sampling, 2)
    first = chat.replies(REQUESTS, system="Be brief.", vector=vector, max_tokens=TOKENS)
    chat.replies(REQUESTS[::-1], max_tokens=TOKENS)
    assert chat.replies(REQUESTS, system="Be brief.", vector=vector, max_tokens=TOKENS) == first
    assert LlamaChat(path, sampling, 2).replies(REQUESTS, system="Be brief.", vector=vector, max_tokens=TOKENS) == first


def test_one_that_is_too_long_is_named_and_the_next_are_as_ever(path):
    chat = LlamaChat(path, SAMPLINGS["greedy"], 2)
    before = chat.replies(REQUESTS[:3], max_tokens=TOKENS)
    with pytest.raises(EngineError, match="shorten it"):
        chat.replies(REQUESTS[:3], system="x" * 5000, max_tokens=TOKENS)
    assert chat.replies(REQUESTS[:3], max_tokens=TOKENS) == before


ASKED = (
    "How do I keep bread fresh?",
    "Is it worth repairing an old bicycle?",
    "What grows in a shady garden?",
    "What is the capital of Norway?",
    "Tell me about the sea in two sentences. " * 5,
)


@pytest.fixture(scope="module")
def bundled() -> Path:
    from assistant.models.bundled import bundled_model

    return bundled_model() or pytest.skip("the bundled model is not installed")


@pytest.mark.bundled
@pytest.mark.usefixtures("one_at_a_time")
def test_the_bundled_model_says_the_same_side_by_side(bundled):
    sampling = replace(Sampling(), temperature=0.7)
    single = LlamaChat(bundled, sampling, 1)
    one_by_one = [single.reply(request, max_tokens=TOKENS, seed=place) for place, request in enumerate(ASKED[:3])]
    assert LlamaChat(bundled, sampling, 2).replies(ASKED[:3], max_tokens=TOKENS) == one_by_one


@pytest.mark.bundled
@pytest.mark.parametrize("steered", [False, True], ids=["plain", "steered"])
def test_in_one_window_the_bundled_model_says_what_it_would_say_by_itself(bundled, steered):
    """Its first choice every time, but for two that are as good as equal."""
    chat = LlamaChat(bundled, SAMPLINGS["greedy"], 1)
    direction = np.random.default_rng(0).standard_normal(chat.shape[1]).astype(np.float32)
    vector = ControlVector({12: direction / np.linalg.norm(direction) * 20}, "llama") if steered else None
    replies = chat.replies(ASKED, system="Be brief.", vector=vector, max_tokens=24)
    assert len(set(replies)) == len(ASKED)
    model, session = chat._session.model, chat._session
    for request, reply in zip(ASKED, replies, strict=True):
        prompt = session.encode((Turn("system", "Be brief."), Turn("user", request)))
        said = model.tokenize(reply, parse_special=False)
        found = chat.logprobs([*prompt, *said], vector, first=len(prompt) - 1)[:-1]
        gaps = found.max(axis=1) - found[np.arange(len(said)), said]
        assert gaps.max() < 0.5, (request, reply, gaps)
