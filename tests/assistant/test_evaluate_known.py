"""Which results of an earlier run count: those of the same model, estimator and other person."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from assistant.evaluation.process import by_estimator
from assistant.evaluation.protocol import EffectsFound, Learner, MethodResult, TooLong
from assistant.evaluation.results import Results
from assistant.evaluation.runner import Evaluation, Measures, rows_of, to_measure
from assistant.rebuild.protocol import Effect
from steering.evaluation.names import OTHER_PERSON, SHARED
from steering.evaluation.people import Person
from steering.evaluation.reading import person_key
from steering.items import PreferenceItem, Source
from tests.assistant.conftest import ROOT
from tests.assistant.people import write_people
from tests.assistant.test_evaluate import SECONDS, results_file

SHORT_OF_MEMORY = """
import psutil
whole = psutil.virtual_memory
psutil.virtual_memory = lambda: whole()._replace(available=1_000_000)
"""


def someone(user: str, *more: str) -> Person:
    texts = [PreferenceItem(f"{user} {k}", "", f"text {k} of {user}", Source.WRITING, float(k)) for k in range(4)]
    texts += [PreferenceItem(text, "", text, Source.WRITING, 9.0) for text in more]
    return Person(user, tuple(texts), (PreferenceItem("t", "why?", f"test of {user}", Source.WRITING, 10.0),))


def result(person: Person, method: str, other: Person | None = None) -> MethodResult:
    nothing = {"curve": (), "blocks": (), "replies": (), "vector": {1: (0.5,)}, "seconds": {}, "shared_seconds": {}}
    figures = {"gain": 0.1, "kl": 0.1, "nll_unsteered": 3.0, "chosen_kl": 0.1, "perplexity": None, "accuracy": None}
    whose = {"other": other.user_id, "other_key": person_key(other)} if other else {"other": "", "other_key": ""}
    return MethodResult(person_key(person), person.user_id, method, peak_mib=1.0, **nothing, **figures, **whose)


def finished(path: Path, people: list[Person]) -> Results:
    """Everything of the people, each with the vector of the one before."""
    results = Results(path, "one")
    for place, person in enumerate(people):
        results.add(result(person, SHARED))
        if len(people) > 1:
            results.add(result(person, OTHER_PERSON, people[place - 1]))
    return results


def others_in(people: list[Person], results: Results) -> dict[str, str]:
    rows = rows_of(people, (SHARED, OTHER_PERSON), results)
    return {user: own[OTHER_PERSON].other for user, own in rows.items() if OTHER_PERSON in own}


def test_rows_of_another_model_or_seed_do_not_count(tmp_path):
    nothing = {
        "curve": (),
        "blocks": (),
        "replies": (),
        "vector": {},
        "seconds": {},
        "shared_seconds": {},
        "other": "",
        "other_key": "",
    }
    figures = {"gain": 0.1, "kl": 0.1, "nll_unsteered": 3.0, "chosen_kl": 0.1, "perplexity": None, "accuracy": None}
    row = MethodResult(key="k", user_id="a", method="caa", peak_mib=1.0, **nothing, **figures)
    Results(tmp_path / "r.jsonl", "one").add(row)
    assert Results(tmp_path / "r.jsonl", "one").methods == {("k", "caa"): row}
    assert Results(tmp_path / "r.jsonl", "two").methods == {}


def test_rows_of_another_estimator_do_not_count(tmp_path):
    person = someone("a")
    results = Results(tmp_path / "r.jsonl", "one")
    for estimator in ("torch", "llama"):
        results.use(estimator)
        results.add(Learner(estimator, ""))
        results.add(result(person, SHARED if estimator == "torch" else "caa"))
    again = Results(tmp_path / "r.jsonl", "one")
    assert again.estimators == ("llama", "torch") and {method for _, method in again.methods} == {"caa"}
    again.use("torch")
    assert {method for _, method in again.methods} == {SHARED} and again.learner == Learner("torch", "")


def test_effects_count_whatever_else_is_measured_with_the_same_estimator(tmp_path):
    """They depend on neither the extent, the seed nor the sampling."""
    person, path = someone("a"), tmp_path / "r.jsonl"
    known = Effect("a 0", "h", "c", "torch", "m", (0,), (1,), (-1.0,), (-2.0,), ())
    effects = EffectsFound(person_key(person), (known,), 3.0, 9.0)
    full = Results(path, "full")
    for estimator in ("torch", "llama"):
        full.use(estimator)
        full.add(Learner(estimator, ""))
    full.use("torch")
    full.add(effects)
    quick = Results(path, "quick")
    assert quick.estimators == ("torch",) and quick.effects == {person_key(person): effects} and not quick.learner
    asked = by_estimator(quick, lambda: to_measure([person], (SHARED,), quick))
    assert [(name, subjects[0].methods, len(subjects[0].effects)) for name, subjects in asked.items()] == [
        ("torch", (SHARED,), 1),
        ("", (SHARED,), 0),
    ]
    quick.use("llama")
    assert quick.effects == {}


def test_effects_of_another_run_do_not_decide_whose_results_are_in_use(tmp_path):
    path, person = tmp_path / "r.jsonl", someone("a")
    full = Results(path, "full")
    for estimator in ("torch", "llama"):
        full.use(estimator)
        full.add(result(person, "caa"))
    quick = Results(path, "quick")
    quick.use("torch")
    quick.add(EffectsFound(person_key(person), (), 3.0, 9.0))
    assert Results(path, "full").estimators == ("llama", "torch")


@pytest.mark.parametrize(("limitation", "asked"), [("", []), ("too little memory", [(), (SHARED, "unsteered")])])
def test_what_lack_of_memory_limited_is_asked_for_again(tmp_path, limitation, asked):
    person = someone("a")
    results = Results(tmp_path / "r.jsonl", "one")
    results.use("llama")
    for row in (Learner("llama", limitation), result(person, SHARED), result(person, "unsteered")):
        results.add(row)
    found = by_estimator(results, lambda: to_measure([person], (SHARED, "unsteered"), results))
    assert [subject.methods for subjects in found.values() for subject in subjects] == asked


def test_where_memory_is_short_that_is_said_and_nothing_is_mixed(cli, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SHORT_OF_MEMORY)
    short = {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    data, out = write_people(tmp_path / "people.jsonl", writers=("old",)), tmp_path / "out.json"
    arguments = ("evaluate", data, "--gain-only", "--json", out, "--methods")
    plain = cli(*arguments, "caa", timeout=SECONDS)
    assert plain.returncode == 0, plain.stderr.decode()
    refused = cli(*arguments, "caa,optimized,steerx-optimized,other-person", environment=short, timeout=SECONDS)
    assert refused.returncode == 1 and b"Traceback" not in refused.stderr
    said = refused.stderr.decode()
    assert "optimized, steerx-optimized: made with gradients" in said and "name other methods with --methods" in said
    less = cli(*arguments, "caa,random", environment=short, timeout=SECONDS)
    assert less.returncode == 0, less.stderr.decode()
    assert b"torch would need" in less.stdout and b"torch would need" not in plain.stdout
    found = json.loads(out.read_text())
    assert found["estimator"].endswith("-gguf") and found["methods"].keys() == {"unsteered", "random", "caa"}
    lines = [json.loads(line) for line in results_file(out).read_text().splitlines()]
    rows = [line for line in lines if line["kind"] == "MethodResult"]
    by = {(line["estimator"].endswith("-gguf"), line["row"]["method"]) for line in rows}
    assert by == {(False, "unsteered"), (False, "caa"), (True, "unsteered"), (True, "caa"), (True, "random")}
    again = cli(*arguments, "caa", timeout=SECONDS)
    assert again.stdout == plain.stdout and b"] model" not in again.stderr


def test_another_persons_vector_counts_only_while_it_is_that_of_who_is_the_other_now(tmp_path):
    a, b, c = people = [someone("a"), someone("b"), someone("c")]
    results = finished(tmp_path / "r.jsonl", people)
    assert others_in(people, results) == {"a": "c", "b": "a", "c": "b"}
    assert others_in([a, b], results) == {"b": "a"}
    assert others_in([a, someone("b", "a new text"), c], results) == {"a": "c"}
    results.add(result(a, OTHER_PERSON, b))
    assert others_in([a, b], results) == {"a": "b", "b": "a"}
    again = Results(tmp_path / "r.jsonl", "one")
    assert others_in(people, again) == {"a": "c", "b": "a", "c": "b"}


def test_a_person_who_cannot_be_measured_is_nobodys_other(tmp_path):
    a, b, c = people = [someone("a"), someone("b"), someone("c")]
    results = finished(tmp_path / "r.jsonl", people)
    results.add(TooLong(person_key(b), "b", b.history[0].id, 5000, 2048))
    results.add(result(c, OTHER_PERSON, a))
    assert others_in(people, results) == {"a": "c", "c": "a"}


@pytest.mark.parametrize("count", [1, 3])
async def test_what_is_finished_loads_no_model(tmp_path, count):
    """One person alone has nobody whose vector could be the other's; one whose texts are too long has nothing."""
    people = [someone(user) for user in "abc"[:count]]
    results, unread = finished(tmp_path / "r.jsonl", people), someone("d")
    results.add(TooLong(person_key(unread), "d", "t", 5000, 2048))
    measures = Measures((SHARED, OTHER_PERSON))
    steps = Evaluation(None, None, None).run([*people, unread], measures, results)
    assert [step async for step in steps] == []


def test_who_is_the_other_is_the_nearest_person_that_can_be_measured(cli, tmp_path):
    data, out = write_people(tmp_path / "people.jsonl"), tmp_path / "out.json"
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    for row in rows:
        if row["user_id"] == "shouting" and row["order"] < 5:
            row["prompt"] = "why is it so? " * 1200
    data.write_text("\n".join(map(json.dumps, rows)))
    arguments = ("evaluate", data, "--gain-only", "--methods", "steerx-optimized,other-person", "--json", out)
    result = cli(*arguments, timeout=SECONDS)
    assert result.returncode == 0, result.stderr.decode()
    whose = {own["user_id"]: own["other"] for own in json.loads(out.read_text())["methods"][OTHER_PERSON]["by_person"]}
    assert whose == {"careless": "old", "old": "careless"}
    again = cli(*arguments, timeout=SECONDS)
    assert again.stdout == result.stdout and b"] model" not in again.stderr
