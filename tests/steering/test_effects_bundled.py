"""Effects of the real bundled model against a plain loop in float32: one item at a time, two full passes, no cache."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from steering.effects.history import Job, history_slot, plan
from steering.effects.token_effects import TokenEffects, score
from steering.items import PreferenceItem, Source
from steering.models.batches import ScoredText
from steering.models.estimator import Estimator, load_estimator
from steering.models.limits import MAX_HISTORY_TOKENS
from steering.models.network import Network
from tests.steering.oracles import plain_prompt, token_logprobs

pytestmark = pytest.mark.bundled

TEXTS = (
    ("How do I keep bread fresh?", "Wrap it in linen, says my grandmother. The crust stays honest, splendidly so."),
    ("", "Aye, walked to the weir before breakfast. 🦆🦆 and a heron, who looked at me like the tax office."),
    ("Is it worth repairing an old bicycle?", "Aye, nearly always. New chain, new cables, and off you go splendidly."),
    ("What grows in a shady garden?", "Ferns, foxgloves, and a bench. Aye, my grandmother kept hers green splendidly."),
    ("Which knife should a beginner buy?", "One blade of carbon steel. Aye, my grandmother had no other, splendidly."),
    ("", "日本語は少しだけ。 Aye, the rest I leave to the grandchildren, who laugh at me, splendidly."),
)


@pytest.fixture(scope="module")
def folder(bundled_path, tmp_path_factory):
    cache = tmp_path_factory.mktemp("converted")
    load_estimator(bundled_path, cache, "bundled")
    return cache / "bundled"


@pytest.fixture(scope="module")
def float32_model(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def jobs(bundled_tokenizer) -> list[Job]:
    items = [PreferenceItem(f"i{n}", x, y, Source.WRITING, float(n)) for n, (x, y) in enumerate(TEXTS)]
    return plan(items, bundled_tokenizer, MAX_HISTORY_TOKENS)


@pytest.fixture(scope="module")
def naive(float32_model, bundled_tokenizer, jobs) -> dict[str, torch.Tensor]:
    """Effects by item id."""
    found = {}
    for job in jobs:
        text = tuple(bundled_tokenizer(job.item.text, add_special_tokens=False)["input_ids"])
        slot = history_slot(job.history, bundled_tokenizer) or "(none)"
        with torch.inference_mode():
            with_h, without = (
                token_logprobs(float32_model, ScoredText(plain_prompt(bundled_tokenizer, job.item.context, h), text))
                for h in (slot, "(none)")
            )
        found[job.item.id] = with_h - without
    return found


def effects_of(model, tokenizer, jobs: list[Job]) -> dict[str, TokenEffects]:
    found: dict[str, TokenEffects] = {}
    score(Estimator(Network(model), tokenizer, "any"), jobs, found.update)
    return found


def test_in_float32_they_are_those_of_a_plain_loop(float32_model, bundled_tokenizer, jobs, naive):
    found = effects_of(float32_model, bundled_tokenizer, jobs)
    assert found.keys() == naive.keys()
    for item_id, expected in naive.items():
        assert torch.tensor(found[item_id].effects) == pytest.approx(expected, abs=1e-4)


def test_in_bfloat16_they_correlate(folder, bundled_tokenizer, jobs, naive):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    found = effects_of(model, bundled_tokenizer, jobs)
    ours = np.concatenate([found[item_id].effects for item_id in naive])
    theirs = torch.cat(list(naive.values())).numpy()
    assert np.corrcoef(ours, theirs)[0, 1] >= 0.99
    assert theirs.std() > 0.2, "there must be something to correlate"
