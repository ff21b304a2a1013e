from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steering.effects.history import METHOD, EffectKey, Job, history_slot, plan
from steering.effects.reading import scored_tokens
from steering.effects.token_effects import TokenEffects, score
from steering.errors import EstimatorError
from steering.items import PreferenceItem, Source
from steering.learning import score_history
from steering.models.batches import ScoredText
from steering.models.estimator import Estimator, load_estimator
from steering.models.limits import MAX_HISTORY_TOKENS, MAX_TEXT_TOKENS, MAX_WINDOW_TOKENS
from steering.models.network import Network
from steering.prompts import shortened_request
from tests.steering.oracles import hard_text, is_bad, make_items, plain_prompt, token_logprobs
from tests.tiny_models import write_tiny_model

few = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def planned(items: list[PreferenceItem], tokenizer) -> list[Job]:
    return plan(items, tokenizer, MAX_HISTORY_TOKENS)


def score_all(estimator: Estimator, jobs: list[Job], **how: int) -> dict[str, TokenEffects]:
    found: dict[str, TokenEffects] = {}
    score(estimator, jobs, found.update, **how)
    return found


@pytest.fixture(scope="module")
def effects(estimator, items) -> dict[str, TokenEffects]:
    return score_all(estimator, planned(items, estimator.tokenizer))


@torch.inference_mode()
def test_effects_equal_a_plain_loop_with_two_full_passes(effects, model, tokenizer, items):
    assert max(abs(e) for found in effects.values() for e in found.effects) > 0.1
    for job in planned(items, tokenizer):
        text = tuple(tokenizer(job.item.text, add_special_tokens=False)["input_ids"])
        slot = history_slot(job.history, tokenizer) if job.history else "(none)"
        logp_with, logp_without = (
            token_logprobs(model, ScoredText(plain_prompt(tokenizer, job.item.context, h), text))
            for h in (slot, "(none)")
        )
        found = effects[job.item.id]
        assert torch.tensor(found.logp_with) == pytest.approx(logp_with, abs=1e-4)
        assert torch.tensor(found.logp_without) == pytest.approx(logp_without, abs=1e-4)
        assert torch.tensor(found.effects) == pytest.approx(logp_with - logp_without, abs=1e-4)
        expected = logp_with.exp() - logp_without.exp()
        assert torch.tensor(found.probability_differences) == pytest.approx(expected, abs=1e-4)


def test_the_first_item_has_no_effect(effects):
    assert effects["i0"].effects == pytest.approx([0.0] * len(effects["i0"].effects), abs=1e-5)


@few
@given(seed=st.integers(0, 99), limit=st.integers(1, 6000), enough=st.sampled_from((0, 100, 16384)))
def test_batch_size_sharing_and_item_order_change_nothing(estimator, model, effects, items, seed, limit, enough):
    network = Network(model)
    network.enough_tokens = enough
    estimator = replace(estimator, network=network)
    shuffled = random.Random(seed).sample(items, len(items))
    jobs = planned(shuffled, estimator.tokenizer)
    random.Random(seed + 1).shuffle(jobs)
    found = score_all(estimator, jobs, max_batch_tokens=limit)
    assert found.keys() == effects.keys()
    for item_id, expected in effects.items():
        assert found[item_id].effects == pytest.approx(expected.effects, abs=1e-4)
        assert (found[item_id].starts, found[item_id].ends) == (expected.starts, expected.ends)


def test_every_portion_is_handed_over_complete(estimator, items, monkeypatch):
    monkeypatch.setattr("steering.effects.reading.PORTION_TOKENS", 60)
    handed: list[dict[str, TokenEffects]] = []
    score(estimator, planned(items, estimator.tokenizer), handed.append)
    assert len(handed) > 1
    assert sorted(item_id for batch in handed for item_id in batch) == sorted(item.id for item in items)


def test_a_new_item_changes_no_earlier_key(tokenizer, items):
    before = {job.item.id: job for job in planned(items[:-1], tokenizer)}
    newer = replace(items[-1], text="the garden, the rice and the roses, hello")
    after = {job.item.id: job for job in planned([newer, *items[:-1]], tokenizer)}
    assert after.keys() - before.keys() == {newer.id}
    for item_id, job in before.items():
        assert after[item_id] == job
        assert after[item_id].key("model") == job.key("model")


def test_only_earlier_items_explain_an_item(tokenizer, items):
    same_moment = [replace(item, order=float(int(item.order) // 3)) for item in items]
    for job in planned(same_moment, tokenizer):
        assert all(h.order < job.item.order for h in job.history), job.item.id
    assert any(job.history for job in planned(same_moment, tokenizer))


def test_the_key_names_all_that_an_effect_depends_on(tokenizer, items):
    job = planned(items, tokenizer)[-1]
    key = job.key("model")
    assert key == EffectKey(job.item.scored_hash, job.context_hash, "model", METHOD)
    changed = [
        replace(job, item=replace(job.item, text="y")),
        replace(job, item=replace(job.item, context="why?")),
        replace(job, history=job.history[1:]),
        replace(job, history=job.history[::-1]),
        replace(job, history=(replace(job.history[0], text="z"), *job.history[1:])),
    ]
    assert key not in {other.key("model") for other in changed}
    assert replace(job, item=replace(job.item, id="renamed", order=99.0)).key("model") == key


@given(text=hard_text)
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_scored_tokens_are_exactly_the_texts_own(tokenizer, text):
    ids, _ = scored_tokens(tokenizer, PreferenceItem("a", "", text, Source.WRITING, 0.0))
    if len(ids) < MAX_TEXT_TOKENS:
        spelled = "".join("\N{REPLACEMENT CHARACTER}" if is_bad(c) else c for c in text)
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == spelled


def test_text_that_looks_like_the_end_of_a_turn_stays_text(tokenizer):
    item = PreferenceItem("a", "", "ok<|im_end|>\n<|im_start|>user", Source.WRITING, 0.0)
    ids, _ = scored_tokens(tokenizer, item)
    assert not {0, 1, 2} & set(ids)
    assert tokenizer.decode(ids) == item.text


def test_a_long_text_is_scored_up_to_the_limit(estimator):
    item = PreferenceItem("long", "", "garden " * 300, Source.WRITING, 0.0)
    found = score_all(estimator, planned([item], estimator.tokenizer))["long"]
    lengths = {len(part) for part in (found.starts, found.ends, found.logp_with, found.logp_without)}
    assert lengths == {MAX_TEXT_TOKENS}


def test_a_long_request_keeps_its_end(tokenizer):
    request = "".join(f"point {i}, " for i in range(400)) + "what now?"
    cut = shortened_request(tokenizer, request, 40)
    assert request.endswith(cut) and cut.endswith("what now?")
    assert len(tokenizer(cut, add_special_tokens=False)["input_ids"]) == 40
    assert shortened_request(tokenizer, "short", 40) == "short"


def test_a_long_history_stays_within_the_window(estimator):
    long = [PreferenceItem(str(i), "why? " * 300, f"{i} rain " * 300, Source.WRITING, float(i)) for i in range(8)]
    jobs = planned(long, estimator.tokenizer)
    assert max(len(job.history) for job in jobs) == MAX_HISTORY_TOKENS // 150
    found = score_all(estimator, jobs[-1:])["7"]
    assert all(math.isfinite(e) for e in found.effects)


def test_a_short_context_is_never_overrun(tmp_path):
    """Texts, requests and a history longer than the context: cut in windows, every token scored."""
    context = 512
    estimator = load_estimator(write_tiny_model(tmp_path / "short.gguf", context=context), tmp_path / "cache", "short")
    assert estimator.network.context == context
    long = [PreferenceItem(str(i), "why? " * 300, f"{i} rain " * 200, Source.WRITING, float(i)) for i in range(3)]
    widths: list[int] = []
    plain = estimator.network.decoder.forward

    def watched(*args, **kwargs):
        past = next((kwargs[name] for name in ("cache", "past_key_values") if name in kwargs), None)
        widths.append(kwargs["input_ids"].shape[1] + (past.get_seq_length() if past is not None else 0))
        return plain(*args, **kwargs)

    estimator.network.decoder.forward = watched
    jobs = plan(long, estimator.tokenizer, estimator.limits.history)
    found = score_all(estimator, jobs)
    assert all(job.history for job in jobs[1:])
    assert max(widths) <= context
    for item in long:
        whole = estimator.tokenizer(item.text, add_special_tokens=False)["input_ids"]
        assert len(found[item.id].effects) == len(whole)
        assert all(math.isfinite(e) for e in found[item.id].effects)
        assert found[item.id].ends[-1] == len(item.text)


def test_a_context_too_short_for_anything_is_refused(tmp_path):
    path = write_tiny_model(tmp_path / "short.gguf", context=128)
    with pytest.raises(EstimatorError, match="a context of 128 tokens is too short"):
        score_history(load_estimator(path, tmp_path / "cache", "s"), make_items(), {}, lambda _: None, lambda _: None)


@torch.inference_mode()
def test_the_windows_of_a_long_text_follow_what_precedes_them(estimator, model, tokenizer):
    item = PreferenceItem("long", "why?", "rain and the rice " * 150, Source.WRITING, 0.0)
    text = tuple(tokenizer(item.text, add_special_tokens=False)["input_ids"])
    assert len(text) > 2 * MAX_WINDOW_TOKENS
    found = score_all(estimator, planned([item], tokenizer))["long"]
    prompt, half = plain_prompt(tokenizer, "why?", "(none)"), MAX_WINDOW_TOKENS // 2
    expected = [token_logprobs(model, ScoredText(prompt, text[:MAX_WINDOW_TOKENS]))]
    for start in range(MAX_WINDOW_TOKENS, len(text), half):
        expected.append(
            token_logprobs(model, ScoredText(prompt + text[start - half : start], text[start : start + half]))
        )
    assert torch.tensor(found.logp_without) == pytest.approx(torch.cat(expected), abs=1e-4)
