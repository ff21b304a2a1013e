"""A rebuild that cannot be: one line, and nothing that was there is changed. No model computes anything here."""

from __future__ import annotations

import asyncio
import signal
from contextlib import aclosing
from pathlib import Path
from types import SimpleNamespace

import pytest

from assistant.app import Assistant
from assistant.errors import ModelError, RebuildCancelled, RebuildError
from assistant.rebuild.runner import Progress, _inputs_hash
from tests.assistant.conftest import children, one_line, prepare_home, query, wait_gone
from tests.assistant.made import add_profile, vector_bytes


def add_texts(assistant: Assistant, count: int) -> None:
    for number in range(count):
        assistant.preferences.add_text(f"A text of mine, the number {number}.", "Which one?")


async def drain(assistant: Assistant) -> None:
    async with aclosing(assistant.rebuild.run()) as events:
        async for _ in events:
            pass


@pytest.fixture
def own_pid():
    return int(Path("/proc/self").resolve().name)


@pytest.mark.parametrize("count", [0, 3])
async def test_too_few_texts(assistant, cli, count):
    add_texts(assistant, count)
    result = cli("rebuild", "--json")
    assert (result.returncode, result.stdout) == (1, b"")
    line = one_line(result)
    assert f"{count} texts to learn from, at least 4 are needed" in line
    assert "import texts" in line
    assert query(cli.home, "SELECT * FROM profiles") == []


@pytest.mark.parametrize(
    ("limitation", "room", "begins"), [("", True, False), ("weak", False, False), ("weak", True, True)]
)
async def test_what_lack_of_memory_made_is_made_again_where_there_is_enough(
    assistant, tmp_path, monkeypatch, limitation, room, begins
):
    add_texts(assistant, 5)
    start = assistant.rebuild._request(assistant.preferences.items())
    add_profile(assistant, vector_bytes(tmp_path), inputs_hash=_inputs_hash(start), limitation=limitation)

    async def expectation() -> SimpleNamespace:
        return SimpleNamespace(in_torch=room)

    async def spawn() -> None:
        raise RebuildError("it begins")

    monkeypatch.setattr(assistant.rebuild, "expectation", expectation)
    monkeypatch.setattr(assistant.rebuild, "_spawn", spawn)
    if begins:
        with pytest.raises(RebuildError, match="it begins"):
            await drain(assistant)
    else:
        await drain(assistant)


@pytest.mark.parametrize("kind", ["missing", "foreign", "truncated", "vector"])
async def test_model_that_cannot_be_used(home, tiny, tmp_path, assistant, cli, kind):
    add_texts(assistant, 5)
    path = tmp_path / f"{kind}.gguf"
    if kind == "foreign":
        path.write_text("no model at all")
    if kind == "truncated":
        path.write_bytes(tiny.read_bytes()[:-5000])
    if kind == "vector":
        path.write_bytes(vector_bytes(tmp_path))
    before = path.read_bytes() if path.exists() else None
    for command in (("rebuild",), ("chat", "hello")):
        result = cli("--model", path, *command)
        assert (result.returncode, result.stdout) == (1, b"")
        assert str(path) in one_line(result)
    assert (path.read_bytes() if path.exists() else None) == before
    assert query(home, "SELECT * FROM profiles") == query(home, "SELECT * FROM messages") == []


async def test_no_model_at_all(home, monkeypatch):
    prepare_home(home, "")
    monkeypatch.setattr("assistant.models.local.bundled_model", lambda: None)
    assistant = Assistant.open(home)
    add_texts(assistant, 5)
    with pytest.raises(ModelError, match="no model"):
        await drain(assistant)
    with pytest.raises(ModelError, match="no model"):
        await assistant.chat.start()
    assert assistant.chat.steering().note == "no model"
    await assistant.close()


async def test_cancel_ends_the_child_and_a_second_rebuild_may_start(assistant, own_pid):
    add_texts(assistant, 5)
    for _ in range(2):
        with pytest.raises(RebuildCancelled):
            async for event in assistant.rebuild.run():
                assert isinstance(event, Progress)
                assert assistant.rebuild.running
                (child,) = children(own_pid)
                assistant.rebuild.cancel()
        wait_gone(child)
        assert not assistant.rebuild.running
    assert (assistant.profiles.all(), assistant.profiles.state().version) == ([], None)


async def test_cancel_before_the_child_is_up(assistant, own_pid):
    add_texts(assistant, 5)
    task = asyncio.create_task(drain(assistant))
    while not assistant.rebuild.running:
        await asyncio.sleep(0)
    assistant.rebuild.cancel()
    with pytest.raises(RebuildCancelled):
        await task
    assert children(own_pid) == []


async def test_leaving_the_iterator_ends_the_child(assistant, own_pid):
    add_texts(assistant, 5)
    async with aclosing(assistant.rebuild.run()) as events:
        async for _ in events:
            (child,) = children(own_pid)
            break
    wait_gone(child)
    assert not assistant.rebuild.running


async def test_only_one_at_a_time(assistant):
    add_texts(assistant, 5)
    async with aclosing(assistant.rebuild.run()) as events:
        async for _ in events:
            with pytest.raises(RebuildError, match="running already"):
                await drain(assistant)
            break


async def test_interrupted_command_line_is_130_and_ends_the_child(assistant, cli):
    add_texts(assistant, 5)
    with cli.start("rebuild", "--json") as process:
        assert process.stderr.readline().startswith(b"[1/")
        (child,) = children(process.pid)
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate()
    wait_gone(child)
    assert (process.returncode, printed) == (130, b"")
    assert b"Traceback" not in said
    assert assistant.profiles.all() == []


async def test_killed_child_is_said_in_words(assistant, own_pid):
    add_texts(assistant, 5)
    with pytest.raises(RebuildError, match=r"killed by signal 9 .*what was scored is kept"):
        async for _ in assistant.rebuild.run():
            assistant.rebuild._child.kill()


async def test_profile_of_another_program_version_can_be_rebuilt(assistant):
    add_texts(assistant, 5)
    version = add_profile(assistant, None, form="none").version
    assistant.store.profiles.set_state(version=version)
    assistant.store._db.write("UPDATE profiles SET outcome = '{}'")
    with pytest.raises(RebuildError, match="another program version; rebuild it"):
        assistant.profiles.current()
    async with aclosing(assistant.rebuild.run()) as events:
        assert isinstance(await anext(events), Progress)
