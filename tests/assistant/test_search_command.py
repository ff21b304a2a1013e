"""`assistant search` as a person runs it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from storage.records import MessageState, Origin
from storage.store import Store
from tests.assistant.conftest import CommandLine

SAID = (
    ("user", "my tomatoes love sun"),
    ("assistant", "tomatoes \x1b[31mlove\x1b[0m sun, rain too"),
    ("user", "thanks"),
)


@pytest.fixture
def filled(home):
    with Store(home / "data" / "history.db") as store:
        talk = store.conversations.create("Garden of tomatoes")
        parent = None
        for role, text in SAID:
            origin, model = (Origin.TYPED, None) if role == "user" else (Origin.GENERATED, "tiny.gguf")
            parent = store.messages.add(
                *(talk.id, parent, role, text), state=MessageState.COMPLETE, origin=origin, model=model
            ).id
        store.feedback.rate(2, 1)


def found(cli: CommandLine, *arguments: str) -> list[int | None]:
    result = cli("search", *arguments, "--json")
    assert result.returncode == 0, result.stderr
    return [hit["message_id"] for hit in json.loads(result.stdout)]


def test_lines_name_where_it_stands_and_obey_no_escapes(cli: CommandLine, filled):
    result = cli("search", "toma*", "sun")
    today = datetime.now().astimezone().strftime("%Y-%m-%d")
    assert result.stdout.decode().splitlines() == [
        f"     1       1  {today}  you     my tomatoes love sun",
        f"     1       2  {today}  reply   tomatoes ␛[31mlove␛[0m sun, rain too",
    ]
    assert result.stderr == b""


def test_json_has_the_marks(cli: CommandLine, filled):
    [hit] = json.loads(cli("search", "garden", "--json").stdout)
    assert [hit["snippet"][start:end] for start, end in hit["marks"]] == ["Garden"]
    assert (hit["conversation_id"], hit["message_id"], hit["role"]) == (1, None, None)
    assert hit["title"] == "Garden of tomatoes"


def test_filters(cli: CommandLine, filled):
    tomorrow = (datetime.now() + timedelta(days=1)).strftime("%Y-%m-%d")
    assert found(cli, "tomatoes") == [None, 1, 2]
    assert found(cli, '"love sun"') == [1]
    assert found(cli, "tomatoes", "--role", "assistant") == [2]
    assert found(cli, "tomatoes", "--rated", "up") == [2]
    assert found(cli, "tomatoes", "--rated", "down") == []
    assert found(cli, "tomatoes", "--model", "tiny.gguf") == [2]
    assert found(cli, "tomatoes", "--before", "2020-01-01") == []
    assert found(cli, "tomatoes", "--after", "2020-01-01", "--before", tomorrow) == [1, 2]
    assert found(cli, "tomatoes", "--limit", "1") == [None]


def test_nothing_found_is_said_and_no_failure(cli: CommandLine, filled):
    result = cli("search", "zeppelin")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"Nothing found.\n")


def test_wrong_use(cli: CommandLine):
    assert cli("search").returncode == 2
    assert cli("search", "x", "--after", "soon").returncode == 2
