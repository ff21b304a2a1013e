from __future__ import annotations

import random

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from steering.calibration.heldout import HeldOut, Nll
from tests.steering.oracles import make_directions, token_logprobs

scores = st.lists(
    st.tuples(st.floats(1, 500), st.floats(1, 500), st.integers(1, 200)),
    min_size=1,
    max_size=12,
)


def make_nll(sums, tokens) -> Nll:
    return Nll(np.array(sums, float), np.array(tokens, float))


def test_nll_equals_plain_forward_passes(network, model, texts):
    directions = make_directions(2, norm=3.0)
    held = HeldOut(network, texts, 1)
    with torch.inference_mode():
        for given_directions, found in ((None, held.nll()), ({}, held.nll({})), (directions, held.nll(directions))):
            for i, text in enumerate(texts):
                expected = -float(token_logprobs(model, text, given_directions).sum())
                assert found.sums[i] == pytest.approx(expected, abs=1e-3)
                assert found.tokens[i] == len(text.text_ids)


def test_mean_and_gain_by_hand():
    unsteered, steered = make_nll([10.0, 30.0], [5, 15]), make_nll([8.0, 30.0], [5, 15])
    assert unsteered.mean == 2.0
    assert steered.mean == pytest.approx(1.9)
    assert steered.gain_over(unsteered) == pytest.approx(0.1)
    assert unsteered.gain_over(steered) == pytest.approx(-0.1)


@settings(max_examples=60, deadline=None)
@given(scores=scores)
def test_the_interval_is_around_the_gain(scores):
    before, after, tokens = zip(*scores, strict=True)
    unsteered, steered = make_nll(before, tokens), make_nll(after, tokens)
    gain = steered.gain_over(unsteered)
    low, high = steered.gain_interval(unsteered)
    assert low < gain < high
    assert high - gain == pytest.approx(gain - low)
    wider = steered.gain_interval(unsteered, level=0.99)
    assert wider[0] < low and wider[1] > high


def drawn(texts: int, gain: float, seed: int) -> tuple[Nll, Nll]:
    """NLL before and after of texts whose gains differ as those of real people do."""
    draw = random.Random(seed)
    tokens = [draw.randint(20, 200) for _ in range(texts)]
    before = [3.0 * n for n in tokens]
    after = [b - n * gain - draw.gauss(0, (0.7 * n) ** 0.5) for b, n in zip(before, tokens, strict=True)]
    return make_nll(before, tokens), make_nll(after, tokens)


def test_of_many_texts_the_interval_is_that_of_a_plain_bootstrap():
    unsteered, steered = drawn(300, 0.1, 1)
    gains, tokens = unsteered.sums - steered.sums, unsteered.tokens
    places = np.random.default_rng(2).integers(0, 300, (20_000, 300))
    expected = np.quantile(gains[places].sum(axis=1) / tokens[places].sum(axis=1), [0.025, 0.975])
    assert steered.gain_interval(unsteered) == pytest.approx(expected, abs=0.05 * (expected[1] - expected[0]))


@pytest.mark.parametrize("texts", [1, 2, 3, 6])
def test_of_few_texts_the_interval_still_covers_the_gain(texts):
    """A bootstrap of two covers it in 44 cases of 100."""
    covered = above = 0
    for seed in range(400):
        unsteered, steered = drawn(texts, 0.0, seed)
        low, high = steered.gain_interval(unsteered)
        covered += low <= 0 <= high
        above += low > 0
    assert covered >= 0.92 * 400
    assert above <= 0.05 * 400


def test_the_interval_by_students_t():
    unsteered, steered = make_nll([20.0, 60.0, 33.0], [10, 30, 11]), make_nll([18.0, 57.0, 30.0], [10, 30, 11])
    gain = 8 / 51
    residuals = [2 - 10 * gain, 3 - 30 * gain, 3 - 11 * gain]
    variance = (4 * 0.7 * 17 + sum(r * r for r in residuals)) / 6
    half = scipy.stats.t.ppf(0.975, 6) * (3 * variance) ** 0.5 / 51
    assert steered.gain_interval(unsteered) == pytest.approx((gain - half, gain + half), abs=0.02 * half)
