"""`assistant evaluate` as a person runs it, with a tiny model: what it prints, keeps, resumes and refuses."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path

import pytest

from assistant.evaluation.damage import read_damage
from assistant.evaluation.process import by_estimator
from assistant.evaluation.protocol import Learner, MethodResult, TooLong
from assistant.evaluation.report import outcome
from assistant.evaluation.results import Results
from assistant.evaluation.runner import Evaluation, Measures, as_read, rows_of, to_measure
from steering.evaluation.names import OTHER_PERSON, SHARED
from steering.evaluation.people import Person
from steering.evaluation.reading import person_key
from steering.items import PreferenceItem, Source
from tests.assistant.conftest import ROOT, CommandLine, children, one_line, prepare_home, wait_gone
from tests.assistant.people import write_people

SECONDS = 900
"""Of a busy machine."""
METHODS = ("--methods", "unsteered,random,description-prompt,retrieval-prompt", "--methods", "caa,steerx-caa")
FIGURES = {
    *("gain_mean", "gain_ci", "share_helped", "kl_neutral", "rouge_1", "rouge_l", "meteor", "attribution", "seconds"),
    *("perplexity", "accuracy", "distinct_1", "distinct_2", "repetition", "words", "peak_mib", "curve"),
}
SHORT_OF_MEMORY = """
import psutil
whole = psutil.virtual_memory
psutil.virtual_memory = lambda: whole()._replace(available=1_000_000)
"""
BROKEN = (
    "{",
    '{"user_id": "ümlaut"}'.encode("latin-1"),
    '{"user_id": "one", "split": "history", "order": 1, "prompt": "why?", "text": "alone"}',
    json.dumps({"user_id": "old", "split": "test", "order": 99, "prompt": "why? " * 3000, "text": "too long"}),
)


def results_file(out: Path) -> Path:
    return out.with_suffix(".results.jsonl")


def measured(out: Path) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in results_file(out).read_text().splitlines()]
    return [(row["row"]["user_id"], row["row"]["method"]) for row in rows if row["kind"] == "MethodResult"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory, tiny):
    """A home, its data and the outcome of one run over three people and some broken lines."""
    folder = tmp_path_factory.mktemp("evaluated")
    cli = CommandLine(prepare_home(folder / "home", tiny))
    data, out = write_people(folder / "people.jsonl", *BROKEN), folder / "out.json"
    return cli, data, out, cli("evaluate", data, "--json", out, *METHODS, "--replies", "1", timeout=SECONDS)


def test_the_json_holds_what_the_table_and_the_plot_show(ran):
    _, _, out, result = ran
    assert result.returncode == 0, result.stderr.decode()
    found = json.loads(out.read_text())
    assert found["people"] == 3 and found["left_out"] == 4 == len(found["left_out_lines"])
    names = {"unsteered", "random", "description-prompt", "retrieval-prompt", "caa", "steerx-caa"}
    assert found["methods"].keys() == names
    assert all(method.keys() >= FIGURES for method in found["methods"].values())
    assert found["methods"]["unsteered"]["gain_mean"] == 0 == found["methods"]["unsteered"]["kl_neutral"]
    assert [p["target"] for p in found["methods"]["caa"]["curve"]] == [0.05, 0.1, 0.15]
    assert found["pairs"].keys() == {f"{a}>{b}" for a in names for b in names if a != b}
    first, second = (
        {own["user_id"]: own["gain"] for own in found["methods"][name]["by_person"]} for name in ("steerx-caa", "caa")
    )
    expected = sum(first[user] - second[user] for user in first) / 3
    assert found["pairs"]["steerx-caa>caa"]["diff"] == pytest.approx(expected)
    table = result.stdout.decode()
    assert all(f"| {name} |" in table for name in names) and "| steerx-caa>caa |" in table
    assert out.with_suffix(".png").exists() and out.with_suffix(".svg").exists()


def test_bad_lines_are_named_and_the_rest_goes_on(ran):
    said = ran[3].stderr.decode()
    assert "line 34: left out: not JSON" in said and "line 35: left out: not UTF-8" in said
    assert "line 36: left out: one has no text in the split test" in said
    assert "line 37: left out: its prompt has " in said and "tokens, the model reads " in said
    assert "] careless effects" in said and "left" in said and "Traceback" not in said


def test_what_is_measured_is_not_measured_again(ran):
    cli, data, out, first = ran
    before = measured(out)
    assert sorted(before) == sorted(set(before)) and len(before) == 18
    again = cli("evaluate", data, "--json", out, *METHODS, "--replies", "1", timeout=SECONDS)
    assert again.stdout == first.stdout and measured(out) == before
    assert b"careless" not in again.stderr
    more = cli("evaluate", data, "--json", out, *METHODS, "--methods", "stylevector", "--replies", "1", timeout=SECONDS)
    assert more.returncode == 0, more.stderr.decode()
    assert {name for _, name in measured(out)[18:]} == {"stylevector"} and len(measured(out)) == 21
    assert b"effects" not in more.stderr


def test_results_are_the_users_alone_and_tell_no_text_of_theirs(ran):
    kept = results_file(ran[2])
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "humble" not in kept.read_text()


def test_a_run_killed_half_way_goes_on_where_it_ended(tmp_path, tiny):
    cli = CommandLine(prepare_home(tmp_path / "home", tiny))
    data, out = write_people(tmp_path / "people.jsonl", writers=("careless", "shouting")), tmp_path / "out.json"
    arguments = ("evaluate", data, "--json", out, "--methods", "caa,steerx-optimized,other-person", "--replies", "0")
    with cli.start(*arguments) as process:
        for line in process.stderr:
            if b"shouting caa" in line:
                break
        workers = children(process.pid)
        process.send_signal(signal.SIGKILL)
    for worker in workers:
        wait_gone(worker)
    done = measured(out)
    assert ("careless", "steerx-optimized") in done and len(done) < 8
    with results_file(out).open("ab") as file:
        file.write(b'{"run": "cut sho')
    result = cli(*arguments, timeout=SECONDS)
    assert result.returncode == 0, result.stderr.decode()
    assert b"careless caa" not in result.stderr and b"careless effects" not in result.stderr
    results_file(out).write_bytes(b"".join(x for x in results_file(out).open("rb") if b"cut sho" not in x))
    assert measured(out)[: len(done)] == done and len(set(measured(out))) == len(measured(out)) == 8
    found = json.loads(out.read_text())
    assert [own["other"] for own in found["methods"]["other-person"]["by_person"]] == ["shouting", "careless"]


def test_interrupted_it_says_so_and_leaves_no_process(tmp_path, tiny):
    cli = CommandLine(prepare_home(tmp_path / "home", tiny))
    with cli.start("evaluate", write_people(tmp_path / "people.jsonl")) as process:
        for line in process.stderr:
            if b"effects" in line:
                break
        workers = children(process.pid)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130 and b"Traceback" not in said
    for worker in workers:
        wait_gone(worker)
    assert (cli.home / "cache" / "evaluations.jsonl").exists()


def test_nobody_to_measure_is_one_error(cli, tmp_path):
    data = tmp_path / "people.jsonl"
    data.write_bytes(b"")
    assert "nobody in it has both a history and a test" in one_line(cli("evaluate", data))


def test_wrong_use_is_refused_before_anything_is_measured(cli, tmp_path):
    data = write_people(tmp_path / "people.jsonl")
    unknown = cli("evaluate", data, "--methods", "dream")
    assert unknown.returncode == 2 and b"no such method: dream" in unknown.stderr
    assert cli("evaluate", tmp_path / "none.jsonl").returncode == 2
    for options in (
        ("--gain-only", "--damage", tmp_path),
        ("--gain-only", "--replies", "4"),
        ("--quick", "--replies", "4"),
    ):
        refused = cli("evaluate", data, *options)
        assert refused.returncode == 2 and f"{options[1]} does not go with {options[0]}" in refused.stderr.decode()
    refused = cli("evaluate", data, "--quick", "--methods", "caa")
    assert refused.returncode == 2 and b"name a method of steerx-" in refused.stderr
    (tmp_path / "damage").mkdir()
    assert "no lines of kind" in one_line(cli("evaluate", data, "--damage", tmp_path / "damage"))


@pytest.mark.parametrize("kind", ([], ["--preferences"]))
def test_the_data_and_the_outcome_are_not_written_over(cli, tmp_path, kind):
    data = write_people(tmp_path / "people.results.jsonl")
    before = data.read_bytes()
    (tmp_path / "link.json").symlink_to(data)
    for path in (data, tmp_path / "x" / ".." / data.name, tmp_path / "link.json", tmp_path / "people.json"):
        (tmp_path / "x").mkdir(exist_ok=True)
        refused = cli("evaluate", data, *kind, "--json", path)
        assert refused.returncode == 2 and b"is DATA" in refused.stderr.replace(b"\n", b" "), path
    for name in ("out.png", "out.SVG"):
        refused = cli("evaluate", data, *kind, "--json", tmp_path / name)
        assert refused.returncode == 2 and b"a plot is written there" in refused.stderr
    assert data.read_bytes() == before


def question(**changes: object) -> str:
    row = {"kind": "multiple_choice", "question": "Red?", "choices": ["a", "b", "c", "d"], "answer": 1}
    return json.dumps(row | changes)


def damage_folder(folder: Path, *lines: str) -> Path:
    folder.mkdir()
    text = json.dumps(
        {"kind": "perplexity", "text": "the garden is\u2028green and the bread is fresh"}, ensure_ascii=False
    )
    (folder / "a.jsonl").write_text("\n".join((question(), text, *lines)), encoding="utf-8")
    return folder


def test_damage_is_measured_on_the_folder_that_is_named(cli, tmp_path):
    folder = damage_folder(tmp_path / "damage", question(answer="B"))
    data, out = write_people(tmp_path / "people.jsonl", writers=("old",)), tmp_path / "out.json"
    result = cli("evaluate", data, "--methods", "unsteered", "--damage", folder, "--json", out, timeout=SECONDS)
    assert result.returncode == 0, result.stderr.decode()
    assert b'a.jsonl, line 3: left out: "answer" is not the place of a choice' in result.stderr
    assert json.loads(out.read_text())["methods"]["unsteered"]["accuracy"] in (0.0, 1.0)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("{", "not JSON"),
        (question(answer=4), '"answer"'),
        (question(answer=-1), '"answer"'),
        (question(answer=True), '"answer"'),
        (question(question=None), '"question"'),
        (json.dumps({"kind": "perplexity", "text": " "}), "empty"),
    ],
)
def test_a_line_of_a_test_set_that_cannot_be_used_is_named(tmp_path, broken, why):
    texts, questions, left_out = read_damage(damage_folder(tmp_path / "damage", broken, question(choices=["a"])))
    assert (len(texts), len(questions)) == (1, 1) and "\u2028" in texts[0]
    assert [(file, one.line, why in one.why) for file, one in left_out] == [("a.jsonl", 3, True)]


def test_rows_of_another_model_or_seed_do_not_count(tmp_path):
    nothing = {"curve": (), "blocks": (), "replies": (), "vector": {}, "seconds": {}, "other": "", "other_key": ""}
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


def test_replies_are_held_against_the_texts_that_they_answer(tmp_path):
    """A test text whose prompt is too long to be read gets no reply."""
    texts = ["never read at all", "the cat sat on the mat", "rain fell over the hill"]
    test = tuple(PreferenceItem(f"t{k}", "why?", text, Source.WRITING, float(k)) for k, text in enumerate(texts))
    history = tuple(PreferenceItem(f"h{k}", "", f"some text {k}", Source.WRITING, float(k)) for k in range(4))
    person = Person("a", history, test)
    results = Results(tmp_path / "r.jsonl", "one")
    results.add(TooLong(person_key(person), "a", "t0", 5000, 2048))
    read = as_read(person, results)
    assert [item.id for item in read.test] == ["t1", "t2"] and read.history == history
    nothing = {"curve": (), "blocks": (), "vector": {}, "seconds": {}, "other": "", "other_key": ""}
    figures = {"gain": 0.0, "kl": 0.0, "nll_unsteered": 3.0, "chosen_kl": 0.0, "perplexity": None, "accuracy": None}
    row = MethodResult("k", "a", "unsteered", peak_mib=1.0, replies=tuple(texts[1:]), **nothing, **figures)
    found = outcome({"a": {"unsteered": row}}, [read], (), (), None, model="m", fingerprint="f", seed=0)
    assert found["methods"]["unsteered"]["rouge_1"] == 1.0


def someone(user: str, *more: str) -> Person:
    texts = [PreferenceItem(f"{user} {k}", "", f"text {k} of {user}", Source.WRITING, float(k)) for k in range(4)]
    texts += [PreferenceItem(text, "", text, Source.WRITING, 9.0) for text in more]
    return Person(user, tuple(texts), (PreferenceItem("t", "why?", f"test of {user}", Source.WRITING, 10.0),))


def result(person: Person, method: str, other: Person | None = None) -> MethodResult:
    nothing = {"curve": (), "blocks": (), "replies": (), "vector": {1: (0.5,)}, "seconds": {}}
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
