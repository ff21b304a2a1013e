"""A whole rebuild with a tiny model: what is handed out fits together, against plain forward passes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from steering.backbones.optimized import Optimized
from steering.calibration.candidates import Candidate
from steering.calibration.endings import measured_endings
from steering.calibration.finish import STRENGTHS, safe_strength
from steering.calibration.harm import TeacherForcedHarm, reply_text
from steering.calibration.replies import ReplyChange
from steering.calibration.split import split_items
from steering.calibration.tuning import Choice, NeutralReplies, choose_settings
from steering.errors import ParityError, TooFewItemsError
from steering.items import PreferenceItem, Source
from steering.material import scored_text
from steering.models.estimator import Estimator, quantized_estimator
from steering.neutral import load_neutral_set
from steering.pipeline import BuiltProfile, Request, build_profile
from steering.prompts import description_system, end_of_turn
from tests.steering.oracles import token_logprobs

STAGES = ["model", "effects", "replies", "description", "calibration", "vector", "check", "held-back"]
SUBJECTS = ("garden", "rice", "train", "roses", "rain", "cup", "key", "bench", "chain", "egg", "lamp", "shelf")
ITEMS = tuple(
    PreferenceItem(
        f"i{n}",
        f"What about the {subject}?",
        f"aye, the {subject} is green, splendidly green, aye!",
        Source.WRITING,
        float(n),
    )
    for n, subject in enumerate(SUBJECTS)
)
NO_CHANGE, LONGER = ReplyChange(0, 0, 0, 0), ReplyChange(0, 0.9, 0, 0.9, 0.9)


def build(estimator: Estimator, chat, **request) -> tuple[BuiltProfile, list[tuple[str, int, int]]]:
    progress: list[tuple[str, int, int]] = []
    built = build_profile(
        Request(ITEMS, neutral_replies=[text[:60] for text in load_neutral_set().texts], **request),
        lambda: estimator,
        chat,
        lambda *step: progress.append(step),
        lambda _: None,
    )
    return built, progress


@pytest.fixture(scope="module", autouse=True)
def _replies_of_a_tiny_model_tell_nothing():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("steering.calibration.finish.compare_replies", lambda *_: NO_CHANGE)
        yield


@pytest.fixture(scope="module")
def built(estimator, tiny_chat) -> tuple[BuiltProfile, list[tuple[str, int, int]]]:
    return build(estimator, tiny_chat)


def test_stages_come_in_order_and_end(built):
    _, progress = built
    assert list(dict.fromkeys(stage for stage, _, _ in progress)) == STAGES
    for stage in STAGES:
        told = [(done, total) for name, done, total in progress if name == stage]
        assert told == sorted(told) and told[-1][0] <= told[-1][1]


@torch.inference_mode()
def test_the_gain_is_on_the_newest_texts_by_plain_forward_passes(built, estimator, model):
    outcome = built[0].outcome
    held = [scored_text(estimator.tokenizer, item) for item in split_items(ITEMS).held_back]
    tokens = sum(len(text.text_ids) for text in held)
    nll = -sum(float(token_logprobs(model, text, {}).sum()) for text in held) / tokens
    assert outcome.held_back == len(held) == 3
    assert outcome.nll_unsteered == pytest.approx(nll, abs=1e-4)
    assert outcome.gain_nats_per_token == pytest.approx(outcome.nll_unsteered - outcome.nll_steered)
    low, high = outcome.gain_interval
    assert low <= outcome.gain_nats_per_token <= high
    assert outcome.gain_nats_per_token > max(0.0, outcome.gain_random, outcome.gain_other)


def test_the_vector_is_what_the_outcome_says(built, estimator):
    outcome, vector = built[0].outcome, built[0].vector
    assert outcome.form in ("vector", "both") and vector is not None
    assert vector.layers == outcome.layers and vector.model_hint == "llama"
    texts = [scored_text(estimator.tokenizer, item) for item in ITEMS]
    network = estimator.network
    norms = network.residual_norms(network.prepare(texts, min(vector.layers)), vector.layers)
    dose = math.hypot(
        *(float((d.astype("float64") ** 2).sum()) ** 0.5 / norms[k] for k, d in vector.directions.items())
    )
    assert dose == pytest.approx(outcome.dose, rel=0.3), "norms of other texts are near"
    assert outcome.kl_neutral == outcome.harm.kl <= 0.3
    assert {point.strength for point in outcome.curve} == {0.5, 1.0, 1.5, 2.0}
    at_one = next(point for point in outcome.curve if point.strength == 1)
    assert (at_one.gain, at_one.kl) == pytest.approx((outcome.gain_nats_per_token, outcome.kl_neutral))


@pytest.mark.parametrize(("accuracy_drop", "safe"), [(-1.0, 2.0), (1.2, 1.5), (1.9, 1.0)])
def test_the_strength_is_safe_up_to_where_all_harm_is_within_the_budget(accuracy_drop, safe):
    """One that has no vector: its KL and NLL stay what they are, its accuracy goes with the strength."""
    shipped = Candidate("caa", {}, 0.0, math.nan, math.nan)
    harm = TeacherForcedHarm(0.1, 0.0, accuracy_drop)
    assert safe_strength(shipped, harm, dict.fromkeys(STRENGTHS, 0.1), lambda _: 0.0) == safe


def test_the_same_again(built, estimator, tiny_chat):
    again, _ = build(estimator, tiny_chat)
    assert again.outcome.method == built[0].outcome.method
    assert again.outcome.gain_nats_per_token == pytest.approx(built[0].outcome.gain_nats_per_token, abs=1e-4)


def test_another_authors_vector_is_learned_once(built, estimator, tiny_chat, monkeypatch):
    kept = built[0].another_author
    assert set(kept.directions) == set(built[0].outcome.layers)
    plain, learned_from = Optimized.fit, []

    def fit(self, network, examples, blocks):
        learned_from.append([example.text for example in examples])
        return plain(self, network, examples, blocks)

    monkeypatch.setattr(Optimized, "fit", fit)
    neutral = [reply_text(estimator.tokenizer, "", text) for text in load_neutral_set().texts]
    again = build(estimator, tiny_chat, another_author=kept)[0]
    assert neutral not in learned_from
    assert (again.another_author, again.outcome.gain_other) == (kept, built[0].outcome.gain_other)
    stale = replace(kept, key="of another model")
    anew = build(estimator, tiny_chat, another_author=stale)[0]
    assert neutral in learned_from
    assert anew.another_author == kept


def test_a_persons_own_description_stands(estimator, tiny_chat):
    outcome = build(estimator, tiny_chat, description="Says aye.")[0].outcome
    assert outcome.description == "Says aye."
    assert outcome.form in ("description", "both", "none")


def test_a_description_that_makes_replies_longer_is_left_out(estimator, tiny_chat, monkeypatch):
    """The vector alone is kept where only the description does harm."""
    monkeypatch.setattr("steering.calibration.tuning.KEPT_GAIN", -9.0)  # anything is as good as the best
    asked: list[bool] = []

    def compare(*_: object) -> ReplyChange:
        asked.append(True)
        return LONGER if len(asked) == 1 else NO_CHANGE

    monkeypatch.setattr("steering.calibration.finish.compare_replies", compare)
    outcome = build(estimator, tiny_chat)[0].outcome
    assert (outcome.form, len(asked)) == ("vector", 2)
    assert outcome.harm.length_change == 0


def test_a_vector_that_makes_replies_longer_is_moved_to_sooner_ends_at_its_dose(estimator, tiny_chat, monkeypatch):
    def alone(*given: object, **named: object) -> Choice:
        return replace(choose_settings(*given, **named), form="vector")

    monkeypatch.setattr("steering.pipeline.choose_settings", alone)
    straight, _ = build(estimator, tiny_chat)
    changes = [replace(LONGER, undescribed_length_change=0.15), NO_CHANGE]
    monkeypatch.setattr("steering.calibration.finish.compare_replies", lambda *_: changes.pop(0))
    moved, _ = build(estimator, tiny_chat)
    assert changes == [] and moved.outcome.dose == pytest.approx(straight.outcome.dose)
    # As far along the gradient as the log of the length: an own measure of the gradient says so.
    network, neutral = estimator.network, NeutralReplies(load_neutral_set().prompts, straight.neutral_replies)
    end = end_of_turn(estimator.tokenizer)
    texts = neutral.choosing().to_their_ends(estimator.tokenizer, end)
    found = measured_endings(network, texts, end, moved.outcome.layers)
    added = [built.vector.directions for built in (straight, moved)]
    ends = [sum(float(found.gradient[b] @ torch.tensor(d)) for b, d in vector.items()) for vector in added]
    assert (ends[1] - ends[0]) / found.expected == pytest.approx(math.log(1.15), rel=0.05)


def test_a_description_alone_is_measured_by_plain_forward_passes_and_learns_no_vector(
    estimator, tiny_chat, model, monkeypatch
):
    def without_vector(*given: object, **named: object) -> Choice:
        return replace(choose_settings(*given, **named), form="description")

    monkeypatch.setattr("steering.pipeline.choose_settings", without_vector)
    monkeypatch.setattr("steering.calibration.another_author.CHOOSING", {})
    made, _ = build(estimator, tiny_chat, description="Says aye.")
    outcome, system = made.outcome, description_system("Says aye.")
    held = [scored_text(estimator.tokenizer, item, system) for item in split_items(ITEMS).held_back]
    tokens = sum(len(text.text_ids) for text in held)
    with torch.inference_mode():
        nll = -sum(float(token_logprobs(model, text, {}).sum()) for text in held) / tokens
    assert made.vector is None
    assert outcome.nll_steered == pytest.approx(nll, abs=1e-4)
    assert (outcome.gain_random, outcome.gain_other) == (0, 0)
    assert {(p.gain, p.kl) for p in outcome.curve} == {(outcome.gain_nats_per_token, outcome.harm.kl)}
    assert len(outcome.curve) == 4


def test_without_torch_the_same_stages_by_another_method(tiny_path, tiny_chat):
    quantized = replace(quantized_estimator(tiny_path, tiny_chat, "abc"), limitation="learned inside llama.cpp")
    built, progress = build(quantized, tiny_chat)
    assert list(dict.fromkeys(stage for stage, _, _ in progress)) == STAGES
    assert built.outcome.method == "steerx-caa"
    assert built.outcome.limitation == "learned inside llama.cpp"


def test_too_few_texts_and_another_model_are_refused(estimator, tiny_chat, bundled_chat):
    with pytest.raises(TooFewItemsError, match="2 texts to learn from"):
        build_profile(Request(ITEMS[:2]), lambda: estimator, tiny_chat, lambda *_: None, lambda _: None)
    with pytest.raises(ParityError, match=r"different models|tokenizer is not"):
        build_profile(Request(ITEMS), lambda: estimator, bundled_chat, lambda *_: None, lambda _: None)
