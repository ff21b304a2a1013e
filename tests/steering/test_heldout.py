from __future__ import annotations

import random

import numpy as np
import pytest
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
def test_the_interval_contains_the_gain(scores):
    before, after, tokens = zip(*scores, strict=True)
    unsteered, steered = make_nll(before, tokens), make_nll(after, tokens)
    low, high = steered.gain_interval(unsteered, level=0.999)
    per_text = (np.array(before) - np.array(after)) / np.array(tokens)
    assert min(per_text) - 1e-9 <= low <= high <= max(per_text) + 1e-9
    if len(scores) >= 3 or len(set(scores)) == 1:
        assert low - 1e-9 <= steered.gain_over(unsteered) <= high + 1e-9


def test_the_interval_is_that_of_a_plain_bootstrap():
    draw = random.Random(1)
    tokens = [draw.randint(20, 200) for _ in range(12)]
    before = [3.0 * n for n in tokens]
    after = [b - n * draw.gauss(0.1, 0.1) for b, n in zip(before, tokens, strict=True)]
    gains = []
    for _ in range(20_000):
        places = [draw.randrange(12) for _ in range(12)]
        gains.append(sum(before[i] - after[i] for i in places) / sum(tokens[i] for i in places))
    gains.sort()
    expected = gains[int(0.025 * len(gains))], gains[int(0.975 * len(gains))]
    found = make_nll(after, tokens).gain_interval(make_nll(before, tokens))
    assert found == pytest.approx(expected, abs=0.006)
    spread = expected[1] - expected[0]
    assert spread > 0.06


def test_the_same_change_everywhere_leaves_no_doubt():
    unsteered, steered = make_nll([20.0, 60.0], [10, 30]), make_nll([18.0, 54.0], [10, 30])
    assert steered.gain_interval(unsteered) == pytest.approx((0.2, 0.2))
