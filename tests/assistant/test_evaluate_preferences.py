"""`assistant evaluate --preferences` as a person runs it, with a tiny model: what it prints, keeps and refuses."""

from __future__ import annotations

import json
import signal
import stat
from pathlib import Path

import pytest

from assistant.evaluation.following.runner import follow, measured_followers, to_follow
from assistant.evaluation.following_protocol import FollowingResult
from assistant.evaluation.protocol import TooLong
from assistant.evaluation.results import Results
from steering.evaluation.following.names import FOLLOWING
from steering.evaluation.following.people import Follower, Preference, follower_key
from tests.assistant.conftest import CommandLine, children, one_line, prepare_home, wait_gone
from tests.preference_lines import preference_line, preference_lines, write_preferences

SECONDS = 900
"""Of a busy machine."""
METHODS = ("unsteered", "preference-prompt", "description-prompt", "vector", "both", "random", "other-person")
BROKEN = (
    "{",
    preference_line("pets", 90, options=None),
    preference_line("pets", 91, item_id="bread-0"),
)


def rows(out: Path, kind: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in out.with_suffix(".results.jsonl").read_text().splitlines()]
    return [line["row"] for line in lines if line["kind"] == kind]


def measured(out: Path) -> list[tuple[str, str]]:
    return [(row["user_id"], row["method"]) for row in rows(out, "FollowingResult")]


@pytest.fixture(scope="module")
def ran(tmp_path_factory, tiny):
    """A home, its data and the outcome of one run over two people, with some broken lines."""
    folder = tmp_path_factory.mktemp("preferences")
    cli = CommandLine(prepare_home(folder / "home", tiny))
    data, out = write_preferences(folder / "preferences.jsonl", 2, *BROKEN), folder / "out.json"
    return cli, data, out, cli("evaluate", data, "--preferences", "--json", out, timeout=SECONDS)


def test_the_json_holds_what_the_table_shows_and_what_it_is_made_from(ran):
    _, _, out, result = ran
    assert result.returncode == 0, result.stderr.decode()
    found = json.loads(out.read_text())
    assert (found["people"], found["each"], found["pairs_scored"], found["left_out"]) == (2, 8, 32, 3)
    assert tuple(found["methods"]) == METHODS
    rights = {row["item_id"]: row["correct_index"] for row in map(json.loads, preference_lines(2))}
    for name, method in found["methods"].items():
        shares = []
        for own in method["by_person"]:
            assert len(own["nlls"]) == 8
            pairs = [
                nlls[rights[item]] < nll
                for item, nlls in own["nlls"].items()
                for place, nll in enumerate(nlls)
                if place != rights[item]
            ]
            assert own["share_right"] == pytest.approx(sum(pairs) / 16), name
            shares.append(own["share_right"])
        assert method["share_right"] == pytest.approx(sum(shares) / 2)
    assert found["methods"]["vector"]["kl_neutral"] == pytest.approx(0.1, rel=0.05)
    assert found["methods"]["preference-prompt"]["kl_neutral"] is None
    assert [own["other"] for own in found["methods"]["other-person"]["by_person"]] == ["person 2", "person 1"]
    table = result.stdout.decode()
    assert all(f"| {name} |" in table for name in METHODS) and "| both>other-person |" in table


def test_bad_lines_are_named_and_how_far_it_is_is_said(ran):
    said = ran[3].stderr.decode()
    assert "line 19: left out: not JSON" in said and "line 20: left out: it has no options" in said
    assert "line 21: left out: the same item_id as in line 1" in said
    assert "] person 1 profile" in said and "min left" in said and "Traceback" not in said


def test_what_is_measured_is_not_measured_again_and_more_people_cost_only_themselves(ran, tmp_path):
    cli, data, out, first = ran
    before = measured(out)
    assert sorted(before) == sorted(set(before)) and len(before) == 14 and len(rows(out, "ProfileLearned")) == 2
    again = cli("evaluate", data, "--preferences", "--json", out, timeout=SECONDS)
    assert again.stdout == first.stdout and measured(out) == before and b"profile" not in again.stderr
    one = cli("evaluate", data, "--preferences", "--users", "1", "--json", out, timeout=SECONDS)
    assert b"1 people of 8 preferences, 16 pairs" in one.stdout and measured(out) == before
    seeded = cli("evaluate", data, "--preferences", "--users", "1", "--seed", "1", "--json", out, timeout=SECONDS)
    assert seeded.returncode == 0, seeded.stderr.decode()
    assert measured(out)[14:] == [("person 1", name) for name in METHODS[:-1]]


def test_another_persons_profile_counts_only_while_it_is_that_of_who_is_the_other_now(ran, tmp_path):
    """Who said something else is somebody else, though the person that was measured with them stays the same."""
    cli, data, out, _ = ran
    copy, other_data = tmp_path / "copy.json", tmp_path / "preferences.jsonl"
    copy.with_suffix(".results.jsonl").write_bytes(out.with_suffix(".results.jsonl").read_bytes())
    alone = cli("evaluate", data, "--preferences", "--users", "1", "--json", copy, timeout=SECONDS)
    assert alone.returncode == 0 and b"other-person" not in alone.stdout
    done = len(measured(copy))
    second = next(row["item_ids"] for row in rows(out, "FollowingResult") if row["user_id"] == "person 2")
    own = [json.loads(line) for line in preference_lines(2)]
    for row in own:
        if row["item_id"] in second:
            row["preference"] = "I only ever want the cheapest."
    other_data.write_text("\n".join(map(json.dumps, own)))
    result = cli("evaluate", other_data, "--preferences", "--json", copy, timeout=SECONDS)
    assert result.returncode == 0, result.stderr.decode()
    assert sorted(measured(copy)[done:]) == sorted([("person 1", METHODS[-1]), *(("person 2", m) for m in METHODS)])
    before, now = [row for row in rows(copy, "FollowingResult") if row["user_id"] == "person 1" and row["other"]]
    shown = json.loads(copy.read_text())["methods"]["other-person"]["by_person"][0]
    assert list(shown["nlls"].values()) == now["nlls"] != before["nlls"]


def follower(number: int) -> Follower:
    said = (Preference(f"{number} {k}", f"topic {k}", f"I like {k}", "which?", ("a", "b"), 0) for k in range(3))
    return Follower(f"person {number}", tuple(said))


def finished(path: Path, people: list[Follower], others: dict[int, int]) -> Results:
    results = Results(path, "one")
    for place, person in enumerate(people):
        for name in FOLLOWING if place in others else FOLLOWING[:-1]:
            other = people[others[place]] if name == "other-person" else None
            whose = (other.user_id, follower_key(other)) if other else ("", "")
            row = (follower_key(person), person.user_id, name, ("x",), ((1.0, 2.0),), 0.1, 1.0, *whose)
            results.add(FollowingResult(*row))
    return results


def still_to_measure(people: list[Follower], results: Results) -> dict[str, tuple[str, ...]]:
    return {subject.user_id: subject.methods for subject in to_follow(people, results) if subject.methods}


def test_who_is_the_other_is_who_can_be_measured(tmp_path):
    a, b, c = people = [follower(number) for number in range(3)]
    results = finished(tmp_path / "r.jsonl", people, {0: 1, 1: 0, 2: 1})
    assert not still_to_measure(people, results) and not still_to_measure([a, b], results)
    assert still_to_measure([a, c], results) == {"person 0": ("other-person",), "person 2": ("other-person",)}
    for one in b.preferences[:2]:
        results.add(TooLong(follower_key(b), b.user_id, one.id, 5000, 2048))
    assert still_to_measure(people, results) == {"person 0": ("other-person",), "person 2": ("other-person",)}
    assert measured_followers([a], results) == [a] and not still_to_measure([a], results)


async def test_a_person_of_whom_too_little_can_be_read_loads_no_model_again(tmp_path):
    a, b = people = [follower(number) for number in range(2)]
    results = finished(tmp_path / "r.jsonl", [a], {})
    for one in b.preferences[:2]:
        results.add(TooLong(follower_key(b), b.user_id, one.id, 5000, 2048))
    assert [step async for step in follow(None, None, None, people, 0, results)] == []


def test_without_what_was_learned_the_results_still_count(ran, tmp_path):
    """The line of a profile may be damaged; its figures are then unknown, and no figure of a method is."""
    cli, data, out, first = ran
    copy = tmp_path / "copy.json"
    lines = out.with_suffix(".results.jsonl").read_text().splitlines(keepends=True)
    copy.with_suffix(".results.jsonl").write_text("".join(line for line in lines if "ProfileLearned" not in line))
    again = cli("evaluate", data, "--preferences", "--json", copy, timeout=SECONDS)
    assert again.stdout == first.stdout and json.loads(copy.read_text())["profile"]["seconds"] is None


def test_results_are_the_users_alone(ran):
    assert stat.S_IMODE(ran[2].with_suffix(".results.jsonl").stat().st_mode) == 0o600


def test_a_run_killed_half_way_goes_on_where_it_ended(tmp_path, tiny):
    cli = CommandLine(prepare_home(tmp_path / "home", tiny))
    data, out = write_preferences(tmp_path / "preferences.jsonl", 2), tmp_path / "out.json"
    arguments = ("evaluate", data, "--preferences", "--json", out)
    with cli.start(*arguments) as process:
        for line in process.stderr:
            if b"person 1 both" in line:
                break
        workers = children(process.pid)
        process.send_signal(signal.SIGKILL)
    for worker in workers:
        wait_gone(worker)
    done, profile = measured(out), rows(out, "ProfileLearned")
    assert ("person 1", "vector") in done and len(done) < 14 and profile
    with out.with_suffix(".results.jsonl").open("ab") as file:
        file.write(b'{"run": "cut sho')
    result = cli(*arguments, timeout=SECONDS)
    assert result.returncode == 0, result.stderr.decode()
    assert b"person 1 profile" not in result.stderr and b"person 1 vector" not in result.stderr
    kept = out.with_suffix(".results.jsonl")
    kept.write_bytes(b"".join(line for line in kept.open("rb") if b"cut sho" not in line))
    assert measured(out)[: len(done)] == done and len(set(measured(out))) == len(measured(out)) == 14
    assert rows(out, "ProfileLearned")[: len(profile)] == profile and len(rows(out, "ProfileLearned")) == 2
    # A profile that was read back does what it did: the same figures as in one go.
    whole = tmp_path / "whole.json"
    assert cli("evaluate", data, "--preferences", "--json", whole, timeout=SECONDS).returncode == 0
    for name in ("both", "other-person"):
        for mine, other in zip(*(own_nlls(path, name) for path in (out, whole)), strict=True):
            assert mine == pytest.approx(other, abs=1e-3)


def own_nlls(out: Path, method: str) -> list[list[float]]:
    people = json.loads(out.read_text())["methods"][method]["by_person"]
    return [nlls for own in people for _, nlls in sorted(own["nlls"].items())]


def test_a_prompt_that_is_too_long_is_named_and_the_person_goes_on(cli, tmp_path):
    lines = [*preference_lines(1)[:7], preference_line("cars", 0, question="why? " * 3000)]
    data, out = tmp_path / "preferences.jsonl", tmp_path / "out.json"
    data.write_text("\n".join(lines))
    result = cli("evaluate", data, "--preferences", "--json", out, timeout=SECONDS)
    assert result.returncode == 0, result.stderr.decode()
    assert b"line 8: left out: its prompt has " in result.stderr
    found = json.loads(out.read_text())
    assert (found["people"], found["left_out"], found["pairs_scored"]) == (1, 1, 14)
    assert "other-person" not in found["methods"]


def test_wrong_use_is_refused_before_anything_is_measured(cli, tmp_path):
    data = write_preferences(tmp_path / "preferences.jsonl", 1)
    for option in (
        ("--methods", "caa"),
        ("--quick",),
        ("--gain-only",),
        ("--replies", "4"),
        ("--plot", tmp_path / "p"),
    ):
        refused = cli("evaluate", data, "--preferences", *option)
        assert refused.returncode == 2 and f"{option[0]} does not go with --preferences" in refused.stderr.decode()
    data.write_text("\n".join(preference_lines(1)[:5]))
    assert "has preferences of 8 topics; it has 5 that can be used" in one_line(cli("evaluate", data, "--preferences"))
