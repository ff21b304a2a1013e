"""Shared beginnings, batches and memory that runs out change no log-probability."""

from __future__ import annotations

import math
import random

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steering.effects.scoring import Scorer, shared_beginning
from steering.errors import EstimatorError
from steering.models.batches import ScoredText
from steering.models.heap import is_out_of_memory
from steering.models.network import Network
from tests.steering.oracles import TINY_VOCABULARY, make_texts, token_logprobs
from tests.steering.test_families import FAMILIES, make_model

few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def after(beginning: tuple[int, ...], texts: list[ScoredText]) -> list[ScoredText]:
    return [ScoredText(beginning + text.prompt_ids, text.text_ids) for text in texts]


def random_ids(count: int, seed: int) -> tuple[int, ...]:
    return tuple(random.Random(seed).choices(range(3, TINY_VOCABULARY), k=count))


@few
@given(
    shared=st.integers(0, 60),
    count=st.integers(1, 6),
    limit=st.integers(1, 500),
    enough=st.sampled_from((0, 100, 500)),
    seed=st.integers(0, 99),
)
def test_sharing_and_batching_change_nothing(model, shared, count, limit, enough, seed):
    network = Network(model)
    network.enough_tokens = enough
    texts = after(random_ids(shared, seed), make_texts(count, seed=seed))
    for text, found in zip(texts, Scorer(network, limit).logprobs(texts), strict=True):
        with torch.inference_mode():
            assert torch.tensor(found) == pytest.approx(token_logprobs(model, text), abs=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_beginning_longer_than_the_attention_window_is_shared(family):
    """Sliding windows of 8 tokens, a beginning of 30: its keys and values are cut as in one pass."""
    model = make_model(family)
    texts = after(random_ids(30, 3), make_texts(4, seed=3))
    network = Network(model)
    network.enough_tokens = 0
    scorer = Scorer(network, 4096)
    assert shared_beginning(texts) >= 30 and scorer.shares(texts)
    for text, found in zip(texts, scorer.logprobs(texts), strict=True):
        ids = torch.tensor([text.prompt_ids + text.text_ids])
        with torch.inference_mode():
            logits = model(input_ids=ids, use_cache=False).logits[0, len(text.prompt_ids) - 1 : -1].float()
        expected = logits.log_softmax(-1).gather(1, torch.tensor(text.text_ids)[:, None])[:, 0]
        assert torch.tensor(found) == pytest.approx(expected, abs=1e-4)


def test_a_beginning_is_read_once_where_that_is_faster(network, monkeypatch):
    begun: list[int] = []
    monkeypatch.setattr(network, "begin", lambda ids, begin=network.begin: (begun.append(len(ids)), begin(ids))[1])
    scorer = Scorer(network, 4096)
    few, many = (after(random_ids(60, 7), make_texts(count, seed=1)) for count in (4, 8))
    monkeypatch.setattr(network, "enough_tokens", 300)
    scorer.logprobs(few)
    assert not begun and not scorer.shares(few)
    scorer.logprobs(many)
    scorer.logprobs(make_texts(4, seed=2))
    scorer.logprobs(few)
    assert begun == [60] and scorer.shares(few), "what was read last is kept, and costs nothing more"


@given(prompts=st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6).map(tuple), min_size=1, max_size=4))
def test_every_prompt_keeps_a_token_of_its_own(prompts):
    shared = shared_beginning([ScoredText(prompt, (0,)) for prompt in prompts])
    assert all(prompt[:shared] == prompts[0][:shared] and len(prompt) > shared for prompt in prompts)
    longer = {prompt[: shared + 1] for prompt in prompts}
    assert len(prompts) == 1 or len(longer) > 1 or min(map(len, prompts)) == shared + 1


def with_room_for(network: Network, sequences: int, monkeypatch, error: type[RuntimeError] = RuntimeError) -> list[int]:
    """A device on which a batch of more sequences fails as torch's CPU allocator does."""
    tried: list[int] = []
    plain = network.continued_logprobs

    def run(texts, beginning):
        tried.append(len(texts))
        if len(texts) > sequences:
            raise error("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return plain(texts, beginning)

    monkeypatch.setattr(network, "continued_logprobs", run)
    return tried


@pytest.mark.parametrize("error", [RuntimeError, torch.OutOfMemoryError])
def test_out_of_memory_halves_the_batch_and_goes_on(network, monkeypatch, error):
    one_length = [ScoredText(random_ids(5, seed), random_ids(20, 100 + seed)) for seed in range(9)]  # one batch
    texts = after(random_ids(9, 0), one_length)
    expected = Scorer(network, 4096).logprobs(texts)
    tried = with_room_for(network, 2, monkeypatch, error)
    found = Scorer(network, 4096).logprobs(texts)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert tried[:3] == [9, 4, 2]
    assert max(tried[3:]) <= 3, "what failed once is not tried again"


def test_no_memory_for_a_single_text_is_said(network, monkeypatch):
    with_room_for(network, 0, monkeypatch)
    with pytest.raises(EstimatorError, match=r"out of memory while a text of \d+ tokens was read; close"):
        Scorer(network, 4096).logprobs(make_texts(3, seed=0))


def test_memory_that_really_runs_out_is_recognised():
    with pytest.raises(RuntimeError) as refused:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(refused.value)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_another_error_is_not_swallowed(network, monkeypatch):
    def broken(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(network, "continued_logprobs", broken)
    with pytest.raises(RuntimeError, match="mat1"):
        Scorer(network, 4096).logprobs(make_texts(3, seed=0))


def test_numbers_that_are_not_finite_are_refused(network, texts):
    handle = network.norm.register_forward_hook(lambda _module, _args, out: torch.full_like(out, math.nan))
    with pytest.raises(EstimatorError, match="no finite numbers"):
        Scorer(network, 4096).logprobs(texts)
    handle.remove()
