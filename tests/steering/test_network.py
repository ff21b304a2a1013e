from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from steering.errors import EstimatorError
from steering.models.batches import CPU_ENOUGH, GPU_MOST, MAX_PADDING, ScoredText, batches, enough_tokens
from steering.models.network import Network
from tests.steering.oracles import block_output, full_logprobs, make_directions, make_texts, token_logprobs

LAST = 2
STEERED = [(1,), (2,), (1, 2)]
TOO_LARGE = 10**6
same_network = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def by_text(network: Network, texts: list[ScoredText], block: int, directions=None, **how) -> list[torch.Tensor]:
    """Log-probabilities of each text's tokens, put back in the order of `texts`."""
    found: dict[int, torch.Tensor] = {}
    for batch in network.prepare(texts, block, **how):
        logprobs = network.token_logprobs(batch, directions)
        found |= {i: logprobs[batch.owners == place] for place, i in enumerate(batch.indices)}
    return [found[i] for i in range(len(texts))]


@pytest.mark.parametrize("block", [0, 1, LAST])
@torch.inference_mode()
def test_without_a_vector_it_is_the_plain_forward_pass(network, model, texts, block):
    for text, found in zip(texts, by_text(network, texts, block), strict=True):
        torch.testing.assert_close(found, token_logprobs(model, text), atol=1e-5, rtol=0)


@pytest.mark.parametrize("blocks", STEERED)
@torch.inference_mode()
def test_a_direction_is_added_to_the_output_of_its_block(network, model, texts, blocks):
    directions = make_directions(*blocks, norm=4.0)
    assert max((full_logprobs(model, t, directions) - full_logprobs(model, t)).abs().max() for t in texts) > 0.1
    for prepared_at in range(min(blocks) + 1):
        for text, found in zip(texts, by_text(network, texts, prepared_at, directions), strict=True):
            torch.testing.assert_close(found, token_logprobs(model, text, directions), atol=1e-5, rtol=0)


@torch.inference_mode()
def test_whole_distributions_are_those_of_the_plain_forward_pass(network, model, texts):
    directions = make_directions(1, norm=4.0)
    for text, rows in zip(texts, network.rows_by_text(network.prepare(texts, 1), directions), strict=True):
        found = network.logits(rows).log_softmax(dim=-1)
        torch.testing.assert_close(found, full_logprobs(model, text, directions), atol=1e-5, rtol=0)


@pytest.fixture(scope="module")
def alone(network) -> list[tuple[ScoredText, torch.Tensor]]:
    """Texts of very different lengths, each steered and scored by itself."""
    directions = make_directions(1, norm=3.0)
    made = make_texts(8, seed=1)
    with torch.inference_mode():
        return [(text, by_text(network, [text], 1, directions)[0]) for text in made]


@same_network
@given(data=st.data())
def test_padding_batches_and_order_change_nothing(model, alone, data):
    network = Network(model)
    network.enough_tokens = data.draw(st.sampled_from((1, 60, 4096)))
    chosen = data.draw(st.lists(st.sampled_from(alone), min_size=1, max_size=8))
    limit = data.draw(st.integers(1, 400))
    with torch.inference_mode():
        found = by_text(network, [text for text, _ in chosen], 1, make_directions(1, norm=3.0), max_batch_tokens=limit)
    for logprobs, (_, expected) in zip(found, chosen, strict=True):
        torch.testing.assert_close(logprobs, expected, atol=1e-5, rtol=0)


@same_network
@given(data=st.data())
def test_what_pads_a_batch_is_not_seen(network, data):
    short, longer = make_texts(2, seed=data.draw(st.integers(0, 10**6)))
    other = ScoredText(longer.prompt_ids + short.prompt_ids + short.text_ids, longer.text_ids)
    with torch.inference_mode():
        beside, _ = by_text(network, [short, other], 0)
        (alone,) = by_text(network, [short], 0)
    torch.testing.assert_close(beside, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("blocks", [(0,), (1,), (LAST,), (0, 1), (1, LAST)])
def test_residual_norms_are_medians_over_the_scored_places(network, model, texts, blocks):
    found = network.residual_norms(network.prepare(texts, min(blocks), max_batch_tokens=64), blocks)
    assert tuple(found) == blocks
    for block in blocks:
        outputs = [block_output(model, t.prompt_ids + t.text_ids, block)[len(t.prompt_ids) - 1 : -1] for t in texts]
        assert found[block] == pytest.approx(float(torch.cat(outputs).norm(dim=-1).median()), rel=1e-5)


def test_the_gradient_is_that_of_the_steered_forward_pass(network, model, texts, monkeypatch):
    monkeypatch.setattr("steering.models.network.LOGITS_AT_ONCE", 7 * network.vocabulary)
    monkeypatch.setattr("steering.models.network.MIN_ROWS_AT_ONCE", 1)
    (start,) = make_directions(1, norm=0.5).values()
    expected, found = (start.clone().requires_grad_() for _ in range(2))
    torch.stack([token_logprobs(model, text, {1: expected}).sum() for text in texts]).sum().backward()
    for batch in network.prepare(texts, 1, max_batch_tokens=100):
        network.token_logprobs(batch, {1: found}).sum().backward()
    torch.testing.assert_close(found.grad, expected.grad, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("block", [0, 1, LAST])
@torch.inference_mode()
def test_preparing_leaves_the_model_as_it_was(network, model, texts, block):
    ids = torch.arange(5, 40)[None]
    network.prepare(texts, block)
    expected = model.model(input_ids=ids, use_cache=False).last_hidden_state
    assert torch.equal(network.decoder(input_ids=ids, use_cache=False).last_hidden_state, expected)
    assert not any(b._forward_hooks or b._forward_pre_hooks for b in network.blocks)


@torch.inference_mode()
def test_a_forward_pass_that_fails_leaves_the_model_as_it_was(network, model):
    outside = ScoredText((TOO_LARGE,), (5,))
    with pytest.raises(IndexError):
        network.prepare([outside], 0)
    fails = network.blocks[0].register_forward_pre_hook(_fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        network.prepare([ScoredText((4,), (5,))], 0)
    fails.remove()
    ids = torch.arange(5, 40)[None]
    expected = model.model(input_ids=ids, use_cache=False).last_hidden_state
    assert torch.equal(network.decoder(input_ids=ids, use_cache=False).last_hidden_state, expected)
    assert not any(b._forward_hooks or b._forward_pre_hooks for b in network.blocks)


def _fail(*_: object) -> None:
    raise RuntimeError("out of memory")


def test_the_model_is_frozen(network):
    assert not any(p.requires_grad for p in (*network.decoder.parameters(), *network.head.parameters()))


def test_rows_come_from_the_blocks_above_only(network, texts):
    batch, *_ = network.prepare(texts, 1)
    ran: list[int] = []
    handles = [b.register_forward_hook(lambda *_, k=k: ran.append(k)) for k, b in enumerate(network.blocks)]
    network.rows(batch)
    for handle in handles:
        handle.remove()
    assert ran == [2]


@given(lengths=st.lists(st.integers(1, 300), max_size=40), enough=st.integers(1, 2048))
def test_a_text_is_padded_much_only_in_a_batch_that_is_small_without_it(lengths, enough):
    texts = [ScoredText((7,) * length, (9,)) for length in lengths]
    for group in batches(texts, 2048, enough):
        longest = texts[group[0]].length
        for place, i in enumerate(group):
            assert texts[i].length >= longest * (1 - MAX_PADDING) or longest * place < enough


def test_a_gpu_is_given_more_at_once_the_smaller_the_model_is():
    cpu, gpu = (lambda parameters, kind=kind: enough_tokens(torch.device(kind), parameters) for kind in ("cpu", "cuda"))
    assert cpu(10**8) == cpu(10**10) == gpu(10**11) == CPU_ENOUGH
    assert GPU_MOST == gpu(10**8) > gpu(5 * 10**8) > gpu(8 * 10**9) > CPU_ENOUGH


@given(lengths=st.lists(st.integers(1, 50), max_size=30), limit=st.integers(1, 200))
def test_batches_hold_every_text_once_within_the_limit(lengths, limit):
    texts = [ScoredText((7,) * length, (9,)) for length in lengths]
    groups = batches(texts, limit)
    assert sorted(i for group in groups for i in group) == list(range(len(texts)))
    for group in groups:
        padded = len(group) * max(texts[i].length for i in group)
        assert padded <= limit or len(group) == 1


class _NoBlocks(nn.Module):
    def get_decoder(self) -> nn.Module:
        return nn.Linear(2, 2)

    def get_output_embeddings(self) -> nn.Module:
        return nn.Linear(2, 2)


def test_a_model_of_another_build_is_refused():
    with pytest.raises(EstimatorError, match="Linear has none of the parts layers, h"):
        Network(_NoBlocks())
