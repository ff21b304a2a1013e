"""The folder of public test sets that harm is measured on: what is read, and how bad lines are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.evaluation.damage import read_damage
from tests.assistant.people import write_people
from tests.assistant.test_evaluate import SECONDS


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
