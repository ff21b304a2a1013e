"""What is chosen, against gains and KLs computed text by text."""

from __future__ import annotations

import pytest
import torch

from steering.backbones import BACKBONES
from steering.backbones.base import Example
from steering.calibration.candidates import COMPARE_KL, TARGET_KLS, Calibration, Candidate, best, candidate_blocks
from steering.calibration.tuning import Described, choose_form
from steering.models.batches import ScoredText
from tests.steering.oracles import full_logprobs, make_texts, token_logprobs

METHODS = {name: BACKBONES[name] for name in ("optimized", "caa")}


@pytest.fixture(scope="module")
def learned() -> list[Example]:
    texts, others = make_texts(6, seed=21), make_texts(6, seed=22)
    return [
        Example(text, (1.0,) * len(text.text_ids), ScoredText(text.prompt_ids, other.text_ids))
        for text, other in zip(texts, others, strict=True)
    ]


@pytest.fixture(scope="module")
def tuning(learned) -> list[ScoredText]:
    """The very texts that were learned from: there is something to gain."""
    return [example.text for example in learned]


@pytest.fixture(scope="module")
def neutral() -> list[ScoredText]:
    return make_texts(5, seed=23)


@pytest.fixture(scope="module")
def calibration(network, tuning, neutral) -> Calibration:
    return Calibration(network, tuning, neutral)


@pytest.fixture(scope="module")
def candidates(calibration, learned) -> list[Candidate]:
    return list(calibration.candidates(METHODS, learned))


@torch.inference_mode()
def plain_gain(model, texts: list[ScoredText], candidate: Candidate) -> float:
    """Nats/token over all tokens, by whole forward passes."""
    steered = sum(float(token_logprobs(model, text, candidate.directions()).sum()) for text in texts)
    unsteered = sum(float(token_logprobs(model, text, {}).sum()) for text in texts)
    return (steered - unsteered) / sum(len(text.text_ids) for text in texts)


@torch.inference_mode()
def plain_kl(model, texts: list[ScoredText], candidate: Candidate) -> float:
    found = []
    for text in texts:
        p, q = (full_logprobs(model, text, directions).double() for directions in ({}, candidate.directions()))
        found.append((p.exp() * (p - q)).sum(dim=-1))
    return float(torch.cat(found).mean())


@pytest.mark.parametrize("blocks", [2, 3, 12, 30, 48])
def test_blocks_that_are_tried_can_be_steered(blocks):
    for chosen in candidate_blocks(blocks):
        assert chosen == tuple(sorted(set(chosen))) and all(1 <= block < blocks for block in chosen)


def test_the_first_method_is_tried_everywhere_and_the_others_where_it_was_best(network, candidates):
    places = candidate_blocks(len(network.blocks))
    first, others = candidates[: len(places)], candidates[len(places) :]
    assert [candidate.blocks for candidate in first] == places
    assert [(other.method, other.blocks) for other in others] == [("caa", best(first).blocks)]


def test_candidates_are_compared_at_one_kl(model, neutral, candidates):
    for candidate in candidates:
        assert plain_kl(model, neutral, candidate) == pytest.approx(COMPARE_KL, rel=0.11)


def test_the_gain_is_that_of_plain_forward_passes(model, tuning, candidates):
    for candidate in candidates:
        assert candidate.gain == pytest.approx(plain_gain(model, tuning, candidate), abs=1e-4)
    assert best(candidates).method == "optimized" and best(candidates).gain > 0


def test_the_strongest_dose_that_keeps_the_gain_is_taken(model, tuning, calibration, candidates):
    compared = best(candidates)
    chosen = calibration.with_best_dose(compared)
    doses = {target: compared.dose * (target / COMPARE_KL) ** 0.5 for target in TARGET_KLS}
    gains = {target: plain_gain(model, tuning, compared.at_dose(dose)) for target, dose in doses.items()}
    enough = [target for target, gain in gains.items() if gain >= 0.9 * max(gains.values()) - 1e-4]
    assert chosen.kl == max(enough)
    assert chosen.dose == pytest.approx(doses[chosen.kl])
    assert chosen.gain == pytest.approx(gains[chosen.kl], abs=1e-4)


@pytest.mark.parametrize(
    ("vector", "described", "form"),
    [
        (0.10, {"description": (0.02, 0.1), "both": (0.12, 0.2)}, "both"),
        (0.10, {"description": (0.02, 0.1), "both": (0.091, 0.2)}, "both"),
        (0.10, {"description": (0.02, 0.1), "both": (0.089, 0.2)}, "vector"),
        (0.10, {"description": (0.02, 0.1), "both": (0.12, 0.31)}, "vector"),
        (0.10, {}, "vector"),
        (0.02, {"description": (0.05, 0.1), "both": (0.02, 0.2)}, "description"),
        (-0.1, {"description": (0.009, 0.1), "both": (-0.1, 0.2)}, "none"),
        (-0.1, {"description": (0.05, 0.4), "both": (-0.1, 0.2)}, "none"),
        (0.0, {"description": (0.0, 0.0), "both": (0.0, 0.0)}, "none"),
    ],
)
def test_the_form_shows_most_of_those_that_keep_the_gain(vector, described, form):
    assert choose_form(vector, {name: Described(*figures) for name, figures in described.items()}) == form
