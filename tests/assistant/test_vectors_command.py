"""`assistant vectors` as a process; a raw connection says what was kept."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.assistant.conftest import one_line, query
from tests.tiny_models import write_vector

KEPT = "SELECT name, strength, enabled FROM vectors ORDER BY id"
DIRECTION = np.random.default_rng(1).standard_normal(64).astype(np.float32)


@pytest.fixture
def calm(tmp_path):
    return write_vector(tmp_path / "calm.gguf", {1: DIRECTION, 2: DIRECTION})


@pytest.fixture
def with_calm(cli, calm):
    assert cli("vectors", "add", calm).returncode == 0
    return cli


def test_from_adding_to_removing(cli, calm, tmp_path):
    def done(*arguments) -> str:
        result = cli("vectors", *arguments)
        assert (result.returncode, result.stderr) == (0, b"")
        return " ".join(result.stdout.decode().split())

    assert done("add", calm) == "calm on × 1 llama, 2 blocks of width 64"
    other = write_vector(tmp_path / "other.gguf", {1: np.ones(8)}, hint="qwen2")
    misfit = "stern on × -0.5 qwen2, 1 block of width 8; does not steer: made for qwen2 models, not llama"
    assert done("add", other, "--name", "stern", "--strength", "-0.5") == misfit
    assert done("strength", "calm", "0.25") == "calm on × 0.25 llama, 2 blocks of width 64"
    assert done("strength", "calm", "-1.5") == "calm on × -1.5 llama, 2 blocks of width 64"
    assert done("off", "calm") == "calm off × -1.5 llama, 2 blocks of width 64"
    assert query(cli.home, KEPT) == [("calm", -1.5, 0), ("stern", -0.5, 1)]
    assert done("on", "calm") == "calm on × -1.5 llama, 2 blocks of width 64"
    assert done("list") == f"calm on × -1.5 llama, 2 blocks of width 64 {misfit}"
    assert done("remove", "calm", "--yes") == "calm: erased"
    assert query(cli.home, KEPT) == [("stern", -0.5, 1)]


def test_list_as_json(with_calm):
    (found,) = json.loads(with_calm("vectors", "list", "--json").stdout)
    assert (found["name"], found["blocks"], found["strength"], found["enabled"]) == ("calm", [1, 2], 1.0, True)
    assert (found["architecture"], found["width"], found["problem"]) == ("llama", 64, "")
    assert with_calm("vectors", "remove", "calm", "--yes").returncode == 0
    assert json.loads(with_calm("vectors", "list", "--json").stdout) == []
    nothing = with_calm("vectors", "list")
    assert (nothing.returncode, nothing.stdout) == (0, b"")
    assert b"vectors add FILE" in nothing.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("add",),
        ("add", "calm.gguf", "--strength", "much"),
        ("strength", "calm"),
        ("strength", "calm", "much"),
        ("strength", "calm", "--much"),
        ("strength", "calm", "1", "-2"),
        ("add", "calm.gguf", "--name", "x", "--strength", "-2.5"),
        ("strength", "calm", "2.5"),
        ("strength", "calm", "-inf"),
        ("strength", "calm", "nan"),
        ("on",),
        ("off", "--all"),
        ("remove",),
    ],
)
def test_wrong_use_is_2(with_calm, arguments):
    result = with_calm("vectors", *arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert b"Usage" in result.stderr
    assert query(with_calm.home, KEPT) == [("calm", 1.0, 1)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "none.gguf"), "none.gguf: no such file"),
        (("add", "{calm}"), "calm: there is a vector of that name"),
        (("add", "{calm}", "--name", "\x1b[31m"), "cannot be the name of a vector"),
        (("add", "{tiny}"), "a llama file, not a control vector"),
        (("strength", "haiku", "1"), "haiku: no imported vector of that name"),
        (("on", "haiku"), "haiku: no imported vector of that name"),
        (("off", "haiku"), "haiku: no imported vector of that name"),
        (("remove", "haiku"), "haiku: no imported vector of that name"),
    ],
)
def test_failure_is_1_and_one_line(with_calm, calm, tiny, arguments, words):
    result = with_calm("vectors", *(argument.format(calm=calm, tiny=tiny) for argument in arguments))
    assert (result.returncode, result.stdout) == (1, b"")
    assert words in one_line(result)
    assert b"\x1b" not in result.stderr
    assert query(with_calm.home, KEPT) == [("calm", 1.0, 1)]


def test_removing_asks_first(with_calm):
    for answer in ("n\n", "\n", ""):
        refused = with_calm("vectors", "remove", "calm", stdin=answer)
        assert (refused.returncode, refused.stdout) == (130, b"")
        assert refused.stderr.startswith(b"Erase calm?")
        assert query(with_calm.home, KEPT) == [("calm", 1.0, 1)]
    agreed = with_calm("vectors", "remove", "calm", stdin="y\n")
    assert (agreed.returncode, agreed.stdout) == (0, b"calm: erased\n")
    assert query(with_calm.home, KEPT) == []


def test_a_chat_is_steered_and_no_steer_is_as_switched_off(with_calm):
    assert with_calm("vectors", "strength", "calm", "2").returncode == 0
    steered = json.loads(with_calm("chat", "hello you", "--json").stdout)["message"]
    assert steered["vectors"] == [{"name": "calm", "strength": 2.0}]
    without = [json.loads(with_calm("chat", "hello you", "--json", *off).stdout)["message"] for off in OFF]
    assert with_calm("vectors", "off", "calm").returncode == 0
    switched_off = json.loads(with_calm("chat", "hello you", "--json").stdout)["message"]
    assert [(reply["text"], reply["vectors"]) for reply in without] == [(switched_off["text"], [])] * 2
    assert steered["text"] != switched_off["text"]


OFF = (("--no-steer",), ("--strength", "0"))


def test_what_a_file_says_of_itself_is_shown_and_not_obeyed(cli, tmp_path):
    hint = "\x1b[31mred\x1b]0;title\x07\nerror: \u202e" * 40
    hostile = write_vector(tmp_path / "odd.gguf", {1: DIRECTION}, hint)
    for arguments in (("vectors", "add", hostile), ("vectors", "list"), ("vectors", "on", "odd"), ("profile", "show")):
        result = cli(*arguments)
        assert not {"\x1b", "\x07", "\u202e"} & set((result.stdout + result.stderr).decode())
        assert len((result.stdout + result.stderr).splitlines()) == 1
    said = cli("doctor")
    assert said.returncode == 0
    assert b"odd is off: made for " in said.stdout
    assert not {"\x1b", "\x07", "\u202e"} & set((said.stdout + said.stderr).decode())
    assert all(line.startswith("ok    ") for line in said.stdout.decode().splitlines())
