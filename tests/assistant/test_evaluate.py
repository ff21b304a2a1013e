"""`assistant evaluate` as a person runs it, with a tiny model: what it prints, keeps, resumes and refuses."""

from __future__ import annotations

import json
import signal
import stat
from pathlib import Path

import pytest

from assistant.evaluation.protocol import MethodResult, TooLong
from assistant.evaluation.report import outcome
from assistant.evaluation.results import Results
from assistant.evaluation.runner import as_read
from steering.evaluation.people import Person
from steering.evaluation.reading import person_key
from steering.evaluation.table import markdown
from steering.items import PreferenceItem, Source
from tests.assistant.conftest import CommandLine, children, one_line, prepare_home, wait_gone
from tests.assistant.people import write_people

SECONDS = 900
"""Of a busy machine."""
METHODS = ("--methods", "unsteered,random,description-prompt,retrieval-prompt", "--methods", "caa,steerx-caa")
FIGURES = {
    *("gain_mean", "gain_ci", "share_helped", "kl_neutral", "rouge_1", "rouge_l", "meteor", "attribution", "seconds"),
    *("perplexity", "accuracy", "distinct_1", "distinct_2", "repetition", "words", "peak_mib", "curve"),
}
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
    assert found["shared"]["seconds_by_stage"].keys() >= {"neutral ground", "test texts", "tuning texts", "negatives"}
    assert {own["user_id"] for own in found["shared"]["by_person"]} == {"careless", "shouting", "old"}
    assert "in no method's s, a person: effects " in result.stdout.decode()
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
    rough = cli("evaluate", data, "--json", out, "--gain-only", "--methods", "steerx-caa", timeout=SECONDS)
    assert rough.returncode == 0, rough.stderr.decode()
    assert b"careless steerx-caa" in rough.stderr and b"effects" not in rough.stderr


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
    nothing = {
        "curve": (),
        "blocks": (),
        "vector": {},
        "other": "",
        "other_key": "",
        "shared_seconds": {},
        "seconds": {},
    }
    figures = {"gain": 0.0, "kl": 0.0, "nll_unsteered": 3.0, "chosen_kl": 0.0, "perplexity": None, "accuracy": None}
    row = MethodResult("k", "a", "unsteered", peak_mib=1.0, replies=tuple(texts[1:]), **nothing, **figures)
    found = outcome({"a": {"unsteered": row}}, [read], (), (), None, model="m", fingerprint="f", seed=0)
    assert found["methods"]["unsteered"]["rouge_1"] == 1.0


def test_what_methods_share_is_said_for_each_person_by_stage():
    history = tuple(PreferenceItem(f"h{k}", "", f"some text {k}", Source.WRITING, float(k)) for k in range(4))
    nothing = {"curve": (), "blocks": (), "vector": {}, "other": "", "other_key": "", "replies": ()}
    figures = {"gain": 0.0, "kl": 0.0, "nll_unsteered": 3.0, "chosen_kl": 0.0, "perplexity": None, "accuracy": None}

    def row(user: str, method: str, **shared: float) -> MethodResult:
        return MethodResult(user, user, method, seconds={}, shared_seconds=shared, peak_mib=1.0, **nothing, **figures)

    rows = {
        "a": {"unsteered": row("a", "unsteered", ground=5.0), "caa": row("a", "caa", ground=1.0, negatives=4.0)},
        "b": {"unsteered": row("b", "unsteered"), "caa": row("b", "caa", negatives=2.0)},
    }
    people = [Person(user, history, history) for user in rows]
    found = outcome(rows, people, (), (), None, model="m", fingerprint="f", seed=0)
    assert found["shared"]["by_person"] == [
        {"user_id": "a", "seconds": {"ground": 6.0, "negatives": 4.0}},
        {"user_id": "b", "seconds": {"negatives": 2.0}},
    ]
    assert found["shared"]["seconds_by_stage"] == {"ground": 3.0, "negatives": 3.0}
    assert "in no method's s, a person: ground 3.0 s, negatives 3.0 s" in markdown(found)
