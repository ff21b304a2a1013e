"""Which texts moved the vector: told, taken out and back in, and forgotten with the text."""

from __future__ import annotations

import json

import pytest

from assistant.app import Assistant
from assistant.errors import AssistantError
from assistant.records import Influence, Source
from tests.assistant.conftest import CommandLine, prepare_home
from tests.assistant.made import add_profile, vector_bytes

TEXTS = ("aye, that is how it goes", "terms and conditions apply to all", "splendid weather we are having", "old news")


@pytest.fixture
def learned(assistant, tmp_path) -> list[str]:
    """Three texts that a profile in use has learned from, the second far more than the others; the fourth is new."""
    ids = [f"writing:{assistant.preferences.add_text(text).id}" for text in TEXTS]
    moved = (Influence(ids[1], 0.6, 0.75), Influence(ids[0], 0.15, 0.1875), Influence(ids[2], 0.05, 0.0625))
    made = add_profile(assistant, vector_bytes(tmp_path), influence=moved, learned=tuple(ids[:3]))
    assistant.profiles.use(made.version)
    return ids


def test_nothing_is_known_before_there_is_a_profile(assistant):
    with pytest.raises(AssistantError, match="no profile yet"):
        assistant.profiles.influential()


def test_a_profile_of_before_knows_of_none(assistant, tmp_path):
    add_profile(assistant, vector_bytes(tmp_path))
    assert assistant.profiles.influential() == []


def test_the_most_moving_comes_first_with_its_text_and_source(assistant, learned):
    found = assistant.profiles.influential()
    assert [(one.item_id, one.text) for one in found] == [(learned[i], TEXTS[i]) for i in (1, 0, 2)]
    assert {one.source for one in found} == {Source.WRITING}
    assert [one.times_mean for one in found] == pytest.approx([2.25, 0.5625, 0.1875])
    assert [one.stands_out for one in found] == [True, False, False]


def test_what_is_taken_out_says_so_until_it_is_back(assistant, learned):
    assistant.preferences.exclude(learned[1])
    assert [one.excluded for one in assistant.profiles.influential()] == [True, False, False]
    assert [one.item.id for one in assistant.preferences.items() if not one.used and one.excluded] == [learned[1]]
    assistant.preferences.include(learned[1])
    assert not any(one.excluded for one in assistant.profiles.influential())


def test_a_forgotten_text_is_in_no_list_of_influence(assistant, learned):
    assistant.store.writing.delete(int(learned[1].removeprefix("writing:")))
    assert [one.item_id for one in assistant.profiles.influential()] == [learned[0], learned[2]]
    (record,) = assistant.store.profiles.list()
    assert learned[1] not in json.dumps(record.outcome)


@pytest.fixture
async def cli(tmp_path, tiny) -> CommandLine:
    home = prepare_home(tmp_path / "told", tiny)
    opened = Assistant.open(home)
    ids = [f"writing:{opened.preferences.add_text(text).id}" for text in TEXTS[:2]]
    moved = (Influence(ids[1], 0.6, 0.8), Influence(ids[0], 0.15, 0.2))
    opened.profiles.use(add_profile(opened, vector_bytes(tmp_path), influence=moved).version)
    await opened.close()
    return CommandLine(home)


async def test_the_command_line_tells_takes_out_and_takes_back(cli):
    told = cli("profile", "influence").stdout.decode().splitlines()
    assert [line.split()[:2] for line in told] == [["80.0%", "writing:2"], ["20.0%", "writing:1"]]
    assert TEXTS[1] in told[0]
    assert b"writing:2" in cli("profile", "exclude", "writing:2").stdout
    assert "[taken out]" in cli("profile", "influence").stdout.decode().splitlines()[0]
    found = json.loads(cli("profile", "influence", "--json").stdout)
    assert [(one["item_id"], one["share"], one["excluded"]) for one in found] == [
        ("writing:2", 0.8, True),
        ("writing:1", 0.2, False),
    ]
    assert cli("profile", "include", "writing:2").returncode == 0
    assert not any(one["excluded"] for one in json.loads(cli("profile", "influence", "--json").stdout))
    for command in ("exclude", "include"):
        refused = cli("profile", command, "writing:9")
        assert refused.returncode == 1 and b"no item 'writing:9'" in refused.stderr
