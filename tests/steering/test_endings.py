from __future__ import annotations

import math

import pytest
import torch

from steering.calibration.endings import NOT_KEPT, measured_endings
from steering.models.batches import ScoredText
from tests.steering.oracles import full_logprobs, make_directions

END, BLOCKS = 5, (1, 2)
NORMS = {1: 3.0, 2: 7.0}


@torch.inference_mode()
def expected_ends(model, texts: list[ScoredText], directions) -> float:
    """Text by text, from whole forward passes."""
    return sum(float(full_logprobs(model, text, directions)[:, END].double().exp().sum()) for text in texts)


@pytest.fixture
def endings(network, texts):
    return measured_endings(network, texts, END, BLOCKS)


def test_the_gradient_is_what_a_small_step_changes(endings, model, texts):
    for seed in range(3):
        step = {block: make_directions(block, norm=0.02, seed=seed)[block] for block in BLOCKS}
        back = {block: -direction for block, direction in step.items()}
        changed = expected_ends(model, texts, step) - expected_ends(model, texts, back)
        told = 2 * sum(float(endings.gradient[block] @ step[block]) for block in BLOCKS)
        assert told == pytest.approx(changed, rel=0.05, abs=1e-5)


def test_what_is_kept_changes_no_end_and_is_otherwise_the_same(endings):
    directions = {block: make_directions(block, norm=1.0, seed=9)[block] for block in BLOCKS}
    kept = endings.kept(directions, NORMS)
    moved = sum(float(endings.gradient[block] @ kept[block]) for block in BLOCKS)
    before = sum(float(endings.gradient[block] @ directions[block]) for block in BLOCKS)
    assert abs(moved) < 1e-4 * abs(before)
    # What went is the gradient itself in shares of the norms: nothing else is lost, and a second time nothing goes.
    gone = [(directions[block] - kept[block]) / NORMS[block] ** 2 / endings.gradient[block] for block in BLOCKS]
    assert torch.cat(gone).std() < 1e-3 * torch.cat(gone).mean().abs()
    for block, again in endings.kept(kept, NORMS).items():
        torch.testing.assert_close(again, kept[block], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("change", [-0.05, 0.05])
def test_ends_come_sooner_by_what_was_asked(endings, model, texts, change):
    assert endings.expected == pytest.approx(expected_ends(model, texts, {}), rel=1e-4)
    moved = endings.sooner({block: torch.zeros(len(endings.gradient[block])) for block in BLOCKS}, NORMS, change)
    assert expected_ends(model, texts, moved) / endings.expected == pytest.approx(math.exp(change), rel=0.01)


def test_a_vector_of_fewer_blocks_is_kept_by_itself(endings):
    kept = endings.kept(make_directions(2, norm=1.0, seed=4), NORMS)
    assert list(kept) == [2]
    assert abs(float(endings.gradient[2] @ kept[2])) < 1e-6


def test_without_a_gradient_nothing_goes():
    directions = make_directions(1, norm=1.0)
    assert NOT_KEPT.kept(directions, NORMS) == NOT_KEPT.sooner(directions, NORMS, 1.0) == directions
