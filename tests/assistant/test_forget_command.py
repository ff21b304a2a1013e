"""`assistant forget`: what it says, asks and leaves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant.app import Assistant
from storage.records import MessageState, Origin
from tests.assistant.conftest import CommandLine, one_line, query
from tests.assistant.made import add_profile, vector_bytes

TEXTS = "SELECT text FROM messages ORDER BY id"


@pytest.fixture
async def filled(home: Path, tmp_path: Path):
    """Two conversations of two messages each, a writing, and a profile in use that learned from the first message."""
    opened = Assistant.open(home)
    store = opened.store
    for number in (1, 2):
        talk = store.conversations.create()
        own = store.messages.add(
            talk.id, None, "user", f"question {number}", state=MessageState.COMPLETE, origin=Origin.TYPED
        )
        store.messages.add(
            talk.id, own.id, "assistant", f"answer {number}", state=MessageState.COMPLETE, origin=Origin.GENERATED
        )
    opened.preferences.add_text("a text about answer 1")
    profile = opened.profiles.use(add_profile(opened, vector_bytes(tmp_path), learned=("message:1",)).version)
    assert opened.profiles.vector_path(profile).exists()
    await opened.close()


def test_it_says_what_would_go_and_asks(cli: CommandLine, home: Path, filled):
    result = cli("forget", "--conversation", "1", stdin="n\n")
    told = result.stderr.decode()
    assert result.returncode == 130
    assert "This would forget 1 conversation, 2 messages." in told
    assert "1 profile version learned from it (1): marked as stale" in told
    assert len(query(home, TEXTS)) == 4
    result = cli("forget", "--conversation", "1", stdin="y\n")
    assert (result.returncode, result.stdout) == (0, b"Forgotten: 1 conversation, 2 messages.\n")
    assert "is in use and stale; `assistant rebuild` learns anew" in result.stderr.decode()
    assert query(home, TEXTS) == [("question 2",), ("answer 2",)]
    assert query(home, "SELECT stale FROM profiles") == [(1,)]


def test_without_an_answer_nothing_goes(cli: CommandLine, home: Path, filled):
    assert cli("forget", "--message", "1").returncode == 130
    assert len(query(home, TEXTS)) == 4


def test_profiles_go_if_wanted(cli: CommandLine, home: Path, filled):
    result = cli("forget", "--item", "message:1", "--profiles", "remove", "--yes", "--json")
    found = json.loads(result.stdout)
    assert (found["messages"], found["profiles"], found["profile_in_use"], found["erased"]) == (2, [1], 1, True)
    assert "steering is off" in result.stderr.decode()
    assert query(home, "SELECT count(*) FROM profiles") == [(0,)]
    assert query(home, "SELECT version, enabled FROM steering") == [(None, 0)]
    assert list((home / "data" / "profiles").iterdir()) == []


def test_by_text_and_by_date(cli: CommandLine, home: Path, filled):
    found = json.loads(cli("forget", "--search", "ANSWER 1", "--yes", "--json").stdout)
    assert (found["messages"], found["writings"]) == (1, 1)
    assert query(home, TEXTS) == [("question 1",), ("question 2",), ("answer 2",)]
    assert json.loads(cli("forget", "--before", "2020-01-01", "--json").stdout)["messages"] == 0
    assert json.loads(cli("forget", "--before", "2999-01-01", "--yes", "--json").stdout)["messages"] == 3
    assert query(home, "SELECT count(*) FROM conversations") == [(0,)]


def test_nothing_to_forget_asks_nothing(cli: CommandLine, filled):
    result = cli("forget", "--search", "zeppelin")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"Forgotten: nothing.\n", b"")


@pytest.mark.parametrize("arguments", [(), ("--message", "1", "--search", "x"), ("--before", "soon")])
def test_wrong_use(cli: CommandLine, arguments):
    assert cli("forget", *arguments).returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [("--conversation", "9"), ("--message", "9"), ("--item", "writing:9"), ("--item", "profile:1"), ("--search", " ")],
)
def test_what_is_not_there(cli: CommandLine, arguments):
    result = cli("forget", *arguments, "--yes")
    assert result.returncode == 1
    one_line(result)
