"""Methods calibrated on the history and measured at equal harm, with a tiny model."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from steering.backbones.base import Example
from steering.calibration.candidates import fit_candidate
from steering.calibration.harm import NeutralKl
from steering.calibration.tuning import NeutralReplies
from steering.evaluation.ground import Damage
from steering.evaluation.names import DEFAULT, DESCRIPTION, KLS, OTHER_PERSON, RETRIEVAL, SHARED, WITH_DESCRIPTION
from steering.evaluation.people import Person
from steering.evaluation.reading import people_of, read_texts
from steering.evaluation.retrieval import Retrieval
from steering.evaluation.study import Measured, Options, Study
from steering.items import PreferenceItem, Source
from steering.learning import own_replies, score_history
from steering.material import scored_text
from steering.neutral import load_neutral_set


@pytest.fixture(scope="module")
def person() -> Person:
    def line(split: str, order: int, text: str) -> str:
        return json.dumps({"user_id": "a", "split": split, "order": order, "prompt": f"what {order}?", "text": text})

    lines = [line("history", i, f"the garden number {i} is green") for i in range(8)]
    lines += [line("test", i, f"my garden is green {i}") for i in (8, 9)]
    return people_of(read_texts("\n".join(lines).encode())[0])[0][0]


@pytest.fixture(scope="module")
def study(estimator, tiny_chat) -> Study:
    known = load_neutral_set()
    neutral = NeutralReplies(known.prompts, tuple(text[:60] for text in known.texts[: len(known.prompts)]))
    damage = Damage(known.texts[:2], known.questions[:4])
    return Study(estimator, tiny_chat, neutral, damage, Options(replies=1))


@pytest.fixture(scope="module")
def effects(estimator, person):
    return score_history(estimator, person.history, {}, lambda _: None, lambda _: None).effects


@pytest.fixture(scope="module")
def subject(study, person, effects):
    return study.subject(person, effects)


@pytest.fixture(scope="module")
def shared(subject):
    return subject.measure(SHARED)


def mean_nll(model, texts) -> float:
    """Transformers' own forward pass, text by text."""
    total, count = 0.0, 0
    for text in texts:
        ids = torch.tensor([[*text.prompt_ids, *text.text_ids]])
        with torch.inference_mode():
            rows = model(ids).logits[0, len(text.prompt_ids) - 1 : -1].log_softmax(dim=-1)
        total -= float(rows.gather(1, torch.tensor(text.text_ids)[:, None]).sum())
        count += len(text.text_ids)
    return total / count


def test_every_method_by_default_is_measured(subject, shared):
    for name in DEFAULT:
        found = subject.measure(name, shared.vector) if name == OTHER_PERSON else subject.measure(name)
        assert np.isfinite(found.gain) and len(found.replies) == 1
        prompted = name in (DESCRIPTION, RETRIEVAL, WITH_DESCRIPTION)
        assert (found.perplexity is None and found.accuracy is None) if prompted else found.perplexity > 1, name
        assert found.seconds.keys() >= {"replies"}, name


def test_the_gain_is_that_of_transformers_own_pass(subject, model, tokenizer, person):
    texts = [scored_text(tokenizer, item) for item in person.test]
    assert subject.measure("unsteered").nll_unsteered == pytest.approx(mean_nll(model, texts), abs=2e-3)
    retrieval = Retrieval(person.history, tokenizer, 300)
    prompted = [scored_text(tokenizer, item, retrieval.system(item.context)) for item in person.test]
    gain = mean_nll(model, texts) - mean_nll(model, prompted)
    assert subject.measure("retrieval-prompt").gain == pytest.approx(gain, abs=4e-3)


def test_vectors_are_reported_at_equal_kl(subject, shared):
    for found in (shared, subject.measure("random"), subject.measure("steerx-caa")):
        assert [point.target for point in found.curve] == list(KLS)
        assert [point.kl for point in found.curve] == pytest.approx(KLS, rel=0.1)
        assert found.gain == found.curve[1].gain and found.kl == found.curve[1].kl
        assert found.chosen_kl in KLS and found.blocks
    assert shared.gain > subject.measure("random").gain


def test_a_vector_of_the_same_person_gains_what_it_did(subject, shared):
    again = subject.measure(OTHER_PERSON, {block: 7 * d for block, d in shared.vector.items()})
    assert again.gain == pytest.approx(shared.gain, abs=0.02)
    assert again.blocks == shared.blocks and again.chosen_kl == pytest.approx(0.1)


def test_the_description_adds_its_kl_to_the_vectors(subject, shared):
    both = subject.measure("steerx-optimized+description")
    assert both.kl == both.curve[1].kl
    for point, alone in zip(both.curve, shared.curve, strict=True):
        assert point.target == alone.target and point.kl != pytest.approx(alone.kl, rel=0.1)


def test_test_texts_choose_and_make_nothing(study, person, effects, shared):
    """With other test texts the blocks, the strength and the vector stay the same to the bit."""
    other = replace(person, test=tuple(replace(item, text="QUITE ANOTHER THING!") for item in person.test))
    found = study.subject(other, effects).measure(SHARED)
    assert (found.blocks, found.chosen_kl) == (shared.blocks, shared.chosen_kl)
    for block, direction in shared.vector.items():
        np.testing.assert_array_equal(found.vector[block], direction)
    assert found.gain != shared.gain


def test_the_newest_quarter_makes_no_vector_that_is_chosen_by_it(study, person, effects, monkeypatch):
    seen: list[int] = []

    class Spy:
        needs_gradients = needs_negatives = needs_description = False

        def fit(self, network, examples: list[Example], blocks):
            seen.append(len(examples))
            return {block: torch.ones(network.width) for block in blocks}

    monkeypatch.setattr("steering.evaluation.study.BACKBONES", {"caa": Spy()})
    monkeypatch.setattr("steering.evaluation.study.CHOOSING", {})
    study.subject(person, effects).measure("steerx-caa")
    assert seen[:-1] == [6] * len(study.block_sets) and seen[-1] == 8


def test_random_directions_are_of_the_seed_and_person(study, person, effects):
    plain = Study(study.estimator, study.chat, study.neutral, Damage((), ()), Options(replies=0, extent="gain"))
    again = Study(study.estimator, study.chat, study.neutral, Damage((), ()), Options(1, replies=0, extent="gain"))
    first, second = (one.subject(person, effects).measure("random") for one in (plain, plain))
    assert first.gain == second.gain != again.subject(person, effects).measure("random").gain
    assert len(first.curve) == 1 and first.perplexity is None and first.replies == ()


def test_a_quick_look_needs_only_the_few_neutral_replies_that_candidates_are_compared_on(study, person, effects):
    quick = Options(replies=0, extent="quick")
    few, all_of_them = (
        Study(study.estimator, study.chat, neutral, Damage((), ()), quick).subject(person, effects).measure("optimized")
        for neutral in (study.neutral.choosing(), study.neutral)
    )
    untimed = {"seconds": {}, "shared_seconds": {}}
    assert replace(few, **untimed) == replace(all_of_them, **untimed)
    assert len(few.curve) == 1 and few.blocks == study.block_sets[0]


class Clock:
    """Stands still but for what is slow."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def slowed(self, function, seconds: float):
        def slow(*arguments, **more):
            self.now += seconds
            return function(*arguments, **more)

        return slow


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """Negatives take 100 seconds, the neutral replies from a block on 10, a vector 1."""
    clock, module = Clock(), "steering.evaluation.study"
    monkeypatch.setattr(f"{module}.time", clock)
    monkeypatch.setattr(f"{module}.own_replies", clock.slowed(own_replies, 100))
    monkeypatch.setattr(f"{module}.fit_candidate", clock.slowed(fit_candidate, 1))
    monkeypatch.setattr(NeutralKl, "__init__", clock.slowed(NeutralKl.__init__, 10))
    return clock


def timed(study, person, effects, *names: str) -> dict[str, Measured]:
    fresh = Study(study.estimator, study.chat, study.neutral, study._damage, Options(replies=0))
    subject = fresh.subject(person, effects)
    return {name: subject.measure(name) for name in names}


def test_what_methods_share_makes_none_of_them_look_dear(study, person, effects, clock):
    names = ("random", "caa", "steerx-caa")
    for order in (names, names[::-1]):
        found = timed(study, person, effects, *order)
        assert [sum(found[name].seconds.values()) for name in names] == [1, 1, 1]
        shared = [found[name].shared_seconds for name in names]
        assert sum(one.get("negatives", 0) for one in shared) == 100
        assert sum(one.get("tuning texts", 0) for one in shared) == 10 * len(set(study.block_sets))
        blocks = {min(found[name].blocks) for name in names}
        assert sum(one.get("neutral ground", 0) for one in shared) == 10 * len(blocks)


def test_a_vector_that_two_methods_have_counts_for_both(study, person, effects, clock):
    both = timed(study, person, effects, SHARED, WITH_DESCRIPTION)
    alone = timed(study, person, effects, WITH_DESCRIPTION)
    assert both[SHARED].seconds["fit"] == 1
    assert both[WITH_DESCRIPTION].seconds == alone[WITH_DESCRIPTION].seconds == both[SHARED].seconds


def test_retrieval_takes_the_most_similar_texts_that_fit(tokenizer):
    def item(order: int, context: str, text: str) -> PreferenceItem:
        return PreferenceItem(str(order), context, text, Source.WRITING, float(order))

    history = [item(0, "bread?", "bake it long"), item(1, "bicycle?", "oil the chain"), item(2, "bread oven?", "hot")]
    found = Retrieval(history, tokenizer, 10_000).system("which bread")
    assert found.index("bake it long") < found.index("hot")
    narrow = Retrieval(history, tokenizer, 1)
    assert "oil the chain" in narrow.system("my bicycle") and "bake" not in narrow.system("my bicycle")
    assert "hot" in narrow.system("???")
