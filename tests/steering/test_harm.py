from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.calibration.candidates import (
    MAX_DOSE,
    SMALLEST_DOSE,
    Candidate,
    at_dose_one,
    at_kl,
    within_budget,
)
from steering.calibration.harm import MultipleChoice, NeutralHarm, NeutralKl, TeacherForcedHarm, plain_text, reply_text
from steering.models.batches import ScoredText
from steering.neutral import Question
from steering.profile import MAX_ACCURACY_DROP, MAX_KL, MAX_NLL_RISE
from tests.steering.oracles import full_logprobs, make_directions, make_texts, token_logprobs

CHOICES = ("tulip", "wagon", "broom", "kiwis")
"""As many tokens each: the longest does not lose by its length alone."""
QUESTIONS = [
    Question(f"Which {kind} {thing}?", CHOICES, number % 4)
    for number, (kind, thing) in enumerate(product(("late", "full", "old", "lost"), ("rose", "train", "cup")))
]


@torch.inference_mode()
def direct_kl(model, texts: list[ScoredText], directions, after: list[ScoredText] | None = None) -> float:
    """Mean over all tokens of sum p log(p / q), text by text."""
    total, count = 0.0, 0
    for text, steered_text in zip(texts, after or texts, strict=True):
        p = full_logprobs(model, text).double()
        q = full_logprobs(model, steered_text, directions).double()
        total += float((p.exp() * (p - q)).sum())
        count += len(text.text_ids)
    return total / count


def test_no_change_is_no_kl(network, texts):
    kl = NeutralKl(network, texts, 1)
    assert kl({}) == 0.0
    assert kl({1: torch.zeros(network.width)}) == 0.0


@pytest.mark.parametrize("block", [1, 2])
@pytest.mark.parametrize("norm", [0.5, 4.0])
def test_kl_equals_a_direct_computation(network, model, texts, block, norm):
    directions = make_directions(block, norm=norm)
    expected = direct_kl(model, texts, directions)
    assert expected > 1e-4
    assert NeutralKl(network, texts, block)(directions) == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_kl_after_another_prompt(network, model, texts):
    described = [ScoredText((5, 6, 7, *t.prompt_ids), t.text_ids) for t in texts]
    directions = make_directions(1, norm=2.0)
    kl = NeutralKl(network, texts, 1).after(described)
    assert kl(directions) == pytest.approx(direct_kl(model, texts, directions, described), rel=1e-3)
    assert kl({}) == pytest.approx(direct_kl(model, texts, {}, described), rel=1e-3)


def test_the_norms_that_doses_are_relative_to(network, texts):
    expected = network.residual_norms(network.prepare(texts, 1), (1, 2))
    assert NeutralKl(network, texts, 1).residual_norms((1, 2)) == expected


def brute_force_likelihoods(model, tokenizer, directions) -> list[list[float]]:
    """Every question with every choice as one text, choice tokens scored one by one."""
    found = []
    for q in QUESTIONS:
        sums = []
        for choice in q.choices:
            asked = tokenizer(f"Question: {q.question}\nAnswer:", add_special_tokens=False)["input_ids"]
            whole = tokenizer(f"Question: {q.question}\nAnswer: {choice}", add_special_tokens=False)["input_ids"]
            assert whole[: len(asked)] == asked
            text = ScoredText(tuple(asked), tuple(whole[len(asked) :]))
            sums.append(sum(token_logprobs(model, text, directions).tolist()))
        found.append(sums)
    return found


def brute_force_accuracy(model, tokenizer, directions) -> float:
    likelihoods = brute_force_likelihoods(model, tokenizer, directions)
    right = [sums.index(max(sums)) == q.answer for q, sums in zip(QUESTIONS, likelihoods, strict=True)]
    return sum(right) / len(QUESTIONS)


def brute_force_expected(model, tokenizer, directions) -> float:
    likelihoods = brute_force_likelihoods(model, tokenizer, directions)
    right = [
        math.exp(sums[q.answer]) / sum(map(math.exp, sums)) for q, sums in zip(QUESTIONS, likelihoods, strict=True)
    ]
    return sum(right) / len(QUESTIONS)


@torch.inference_mode()
def test_multiple_choice_equals_brute_force(network, model, tokenizer):
    choices = MultipleChoice(network, tokenizer, QUESTIONS, 1)
    accuracies = set()
    for directions in ({}, make_directions(1, norm=10.0, seed=1), make_directions(2, norm=10.0, seed=2)):
        expected = brute_force_accuracy(model, tokenizer, directions)
        assert choices.accuracy(directions) == pytest.approx(expected)
        accuracies.add(expected)
        assert choices.expected_accuracy(directions) == pytest.approx(
            brute_force_expected(model, tokenizer, directions), abs=1e-6
        )
    assert len(accuracies) > 1, "the directions must move some answer"


@torch.inference_mode()
def test_a_small_push_tips_an_answer_and_leaves_the_expected_accuracy_where_it_is(network, tokenizer):
    (direction,) = make_directions(1, norm=10.0, seed=1).values()
    choices = MultipleChoice(network, tokenizer, QUESTIONS, 1)
    found = [
        (choices.accuracy(pushed), choices.expected_accuracy(pushed))
        for pushed in ({1: direction * step / 100} for step in range(101))
    ]
    counted, expected = (np.abs(np.diff(column)) for column in zip(*found, strict=True))
    assert counted.max() >= 1 / len(QUESTIONS), "some step must tip an answer"
    assert expected.max() < 0.1 * counted.max()


@torch.inference_mode()
def test_harm_puts_the_three_together(network, model, tokenizer, texts):
    neutral = ["The garden needs rain.", "hello and you"]
    kl = NeutralKl(network, texts, 1)
    harm = NeutralHarm(network, tokenizer, 1, kl=kl, texts=neutral, questions=QUESTIONS)
    directions = make_directions(1, norm=10.0, seed=1)
    scored = [plain_text(tokenizer, text) for text in neutral]
    tokens = sum(len(t.text_ids) for t in scored)
    nll = [-sum(float(token_logprobs(model, t, d).sum()) for t in scored) / tokens for d in ({}, directions)]
    accuracy = [100 * brute_force_expected(model, tokenizer, d) for d in ({}, directions)]
    found = harm.measure(directions)
    assert found.kl == kl(directions)
    assert found.nll_rise == pytest.approx(nll[1] - nll[0], abs=1e-4)
    assert harm.nll_rise(directions) == pytest.approx(found.nll_rise)
    assert found.accuracy_drop == pytest.approx(accuracy[0] - accuracy[1], abs=1e-4)
    assert harm.measure({}) == TeacherForcedHarm(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("kl", "nll_rise", "accuracy_drop", "within"),
    [
        (MAX_KL, MAX_NLL_RISE, MAX_ACCURACY_DROP, True),
        (MAX_KL + 0.01, 0.0, 0.0, False),
        (0.0, MAX_NLL_RISE + 0.01, 0.0, False),
        (0.0, 0.0, MAX_ACCURACY_DROP + 0.1, False),
        (0.0, -1.0, -5.0, True),
        (math.nan, 0.0, 0.0, False),
    ],
)
def test_the_budget_holds_all_three(kl, nll_rise, accuracy_drop, within):
    assert TeacherForcedHarm(kl, nll_rise, accuracy_drop).within_budget is within


@given(kl=st.floats(0, 3), nll_rise=st.floats(-1, 1), accuracy_drop=st.floats(-40, 40), squared=st.booleans())
def test_the_share_of_a_dose_that_is_allowed_is_within_the_budget(kl, nll_rise, accuracy_drop, squared):
    share = TeacherForcedHarm(kl, nll_rise, accuracy_drop).allowed_share()
    assert (share == 1) is TeacherForcedHarm(kl, nll_rise, accuracy_drop).within_budget
    accuracy = accuracy_drop * share ** (1 + squared)
    assert TeacherForcedHarm(kl * share**2 * 0.999, nll_rise * share**2 * 0.999, accuracy * 0.999).within_budget


@pytest.mark.parametrize("harm", [(math.nan, 0.0, 0.0), (0.1, math.nan, 0.0), (0.1, 0.0, math.nan), (math.inf, 0, 0)])
def test_nothing_is_allowed_of_a_dose_whose_harm_is_no_number(harm):
    assert TeacherForcedHarm(*harm).allowed_share() == 0


@pytest.mark.parametrize("dose", [0.02, MAX_DOSE, 2 * MAX_DOSE])
def test_a_dose_is_lowered_to_what_the_budget_allows_and_no_further(network, tokenizer, texts, dose, monkeypatch):
    harm = NeutralHarm(
        network, tokenizer, 1, kl=NeutralKl(network, texts, 1), texts=["The garden needs rain."], questions=QUESTIONS
    )
    norms = harm.kl.residual_norms((1,))
    start = Candidate("caa", at_dose_one(make_directions(1, norm=1.0, seed=4), norms), dose, math.nan, math.nan)
    measured: list[TeacherForcedHarm] = []
    measure = harm.measure
    monkeypatch.setattr(harm, "measure", lambda directions: measured.append(measure(directions)) or measured[-1])
    found, at_it = within_budget(start, harm)
    assert at_it == measured[-1] == measure(found.directions()) and at_it.within_budget
    assert len(measured) <= 5
    assert (found.dose < start.dose) is (dose > 0.1)
    if found.dose < start.dose:
        assert not measure(found.directions(1.25)).within_budget


class Described:
    """Harm of a description, and of a vector beside it by the square of its dose."""

    def __init__(self, alone: float, at_dose_one: float) -> None:
        self.alone, self.at_dose_one, self.asked = alone, at_dose_one, []

    def kl(self, directions) -> float:
        self.asked.append(float(directions[1].norm()) if directions else 0.0)
        return self.alone + self.at_dose_one * self.asked[-1] ** 2

    def measure(self, directions) -> TeacherForcedHarm:
        return TeacherForcedHarm(self.kl(directions), 0.0, 0.0)


@pytest.mark.parametrize("alone", [MAX_KL * 1.02, MAX_KL * 1.5, MAX_KL * 20])
def test_where_the_description_alone_is_over_the_budget_no_dose_is_searched_for(alone):
    start = Candidate("caa", {1: torch.tensor([1.0, 0.0])}, 0.2, math.nan, math.nan)
    harm = Described(alone, 10.0)
    found, at_it = within_budget(start, harm)
    assert len(harm.asked) <= 3
    assert found.dose <= SMALLEST_DOSE and not at_it.within_budget
    assert at_it == Described(alone, 10.0).measure(found.directions())


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_beside_a_description_within_the_budget_a_dose_is_found_at_once(share):
    start = Candidate("caa", {1: torch.tensor([1.0, 0.0])}, 0.2, math.nan, math.nan)
    harm = Described(MAX_KL * share, 10.0)
    found, at_it = within_budget(start, harm)
    largest = math.sqrt(MAX_KL * (1 - share) / 10.0)
    assert at_it.within_budget and 0.95 * largest < found.dose <= largest
    assert len(harm.asked) <= 3


def test_plain_texts_and_replies_as_tokens(tokenizer):
    plain = plain_text(tokenizer, "hello you")
    assert tokenizer.decode(plain.prompt_ids + plain.text_ids) == "hello you"
    assert len(plain.prompt_ids) == 1
    reply = reply_text(tokenizer, "Why?", "hello", "Be kind.")
    assert tokenizer.decode(reply.text_ids) == "hello"
    assert tokenizer.decode(reply.prompt_ids).endswith("user\nWhy?<|im_end|>\n<|im_start|>assistant\n")


@pytest.mark.parametrize("target", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("start", [0.02, 0.14, 0.3, 0.9])
def test_at_kl_meets_its_target(network, target, start):
    texts = make_texts(6, seed=8)
    kl = NeutralKl(network, texts, 1)
    (unit,) = make_directions(1, norm=1.0, seed=4).values()
    unit = at_dose_one({1: unit}, kl.residual_norms((1,)))
    found = at_kl(Candidate("caa", unit, start, math.nan, math.nan), kl, target)
    reached = kl(found.directions())
    assert found.dose <= MAX_DOSE and found.kl == pytest.approx(reached)
    assert reached == pytest.approx(target, rel=0.1) or (found.dose == MAX_DOSE and reached < target)


def test_at_kl_never_goes_over_the_largest_dose():
    """Where even that does not reach the target, as with a random direction, wherever the search begins."""
    unit = {1: torch.tensor([1.0, 0.0])}
    asked: list[float] = []

    def weak(directions) -> float:
        asked.append(float(directions[1].norm()))
        return 0.6 * asked[-1] ** 2

    for start in (0.1, 0.4, 3.0):
        found = at_kl(Candidate("random", unit, start, math.nan, math.nan), weak, 0.15)
        assert found.dose == MAX_DOSE and found.kl == pytest.approx(0.6 * MAX_DOSE**2)
    assert max(asked) <= MAX_DOSE * 1.0001
