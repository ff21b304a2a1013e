"""An interrupted download knows what it was asked for by, goes on without being named, and can be given up."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from contextlib import aclosing
from pathlib import Path

import pytest

from assistant.app import Assistant
from assistant.errors import DownloadStopped
from assistant.models.catalogue import load_catalogue
from assistant.models.hub.download import Download, Downloading
from assistant.models.notes import wanted_notes
from tests.assistant.conftest import children
from tests.assistant.hub import REPOSITORY, Hub, serving
from tests.tiny_models import write_tiny_model

NAME = "model-q4_k_m.gguf"
WANTED = f"{REPOSITORY}:{NAME}"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    hub = Hub({NAME: write_tiny_model(tmp_path / NAME, width=256, blocks=4).read_bytes()})
    held = threading.Event()
    half = len(hub.files[NAME]) // 2
    hub.gate = lambda end: None if end < half else held.wait(20)
    server = serving(hub)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    yield hub
    held.set()
    server.shutdown()
    server.server_close()


async def interrupted(assistant: Assistant, wanted: str) -> None:
    """Half of a model comes, then the process that holds the network dies."""
    async with aclosing(assistant.models.download(wanted).run()) as events:
        async for event in events:
            if isinstance(event, Downloading) and event.done > 0:
                (child,) = children(os.getpid())
                os.kill(child, 9)
                return


async def ended(download: Download) -> None:
    async for _ in download.run():
        pass


def parts(assistant: Assistant) -> list[Path]:
    return list((assistant.paths.models / ".incoming").iterdir())


@pytest.mark.parametrize("wanted", [WANTED, REPOSITORY])
async def test_what_was_wanted_is_known_after_a_kill_and_forgotten_once_it_is_here(assistant, hub, wanted):
    await interrupted(assistant, wanted)
    (left,) = assistant.models.unfinished()
    assert (left.name, left.wanted) == (NAME, wanted) and left.size > 0
    assert stat.S_IMODE((assistant.paths.models / ".wanted.json").stat().st_mode) == 0o600
    hub.gate = lambda end: None
    *_, last = [event async for event in assistant.models.download(left.wanted).run()]
    assert last.path.read_bytes() == hub.files[NAME]
    assert assistant.models.unfinished() == [] and not (assistant.paths.models / ".wanted.json").exists()


async def test_it_can_be_given_up(assistant, hub):
    await interrupted(assistant, WANTED)
    (left,) = assistant.models.unfinished()
    assistant.models.give_up(left)
    assert assistant.models.unfinished() == []
    assert not left.path.exists() and not (assistant.paths.models / ".wanted.json").exists()


async def test_cancelling_before_the_hub_has_answered_deletes_what_came_earlier(assistant, hub):
    await interrupted(assistant, WANTED)
    asked, answer = threading.Event(), threading.Event()

    def ask(_):
        asked.set()
        answer.wait(20)

    hub.before = ask
    download = assistant.models.download(WANTED)
    running = asyncio.create_task(ended(download))
    await asyncio.to_thread(asked.wait, 20)
    download.cancel()
    with pytest.raises(DownloadStopped, match="what came is deleted"):
        await running
    answer.set()
    assert assistant.models.unfinished() == [] and parts(assistant) == []
    assert not (assistant.paths.models / ".wanted.json").exists()


@pytest.mark.parametrize("stop", [Download.pause, Download.cancel])
async def test_what_is_stopped_while_its_process_starts_does_not_run(assistant, hub, stop):
    await interrupted(assistant, WANTED)
    sent = hub.sent
    download = assistant.models.download(WANTED)
    running = asyncio.create_task(ended(download))
    await asyncio.sleep(0)
    stop(download)
    with pytest.raises(DownloadStopped):
        await running
    assert hub.sent == sent and bool(parts(assistant)) == (stop is Download.pause)


async def test_files_of_one_name_from_two_repositories_are_told_apart(assistant, hub, tmp_path):
    await interrupted(assistant, WANTED)
    first = hub.files[NAME]
    second = write_tiny_model(tmp_path / "second", width=256, blocks=4, seed=2).read_bytes()
    hub.repository, hub.files = "other/Model-GGUF", {NAME: second}
    await interrupted(assistant, f"other/Model-GGUF:{NAME}")
    lefts = {left.wanted: left for left in assistant.models.unfinished()}
    assert lefts.keys() == {WANTED, f"other/Model-GGUF:{NAME}"}
    assistant.models.give_up(lefts[f"other/Model-GGUF:{NAME}"])
    assert [left.wanted for left in assistant.models.unfinished()] == [WANTED]
    hub.repository, hub.files, hub.gate = REPOSITORY, {NAME: first}, lambda end: None
    *_, last = [event async for event in assistant.models.download(WANTED).run()]
    assert last.path.read_bytes() == first
    assert hub.downloads[-1] == f"bytes={lefts[WANTED].size}-"


def test_notes_that_cannot_be_read_are_no_notes(tmp_path):
    for text in ("", "[1]", '{"a": 1}', "\x00"):
        (tmp_path / ".wanted.json").write_text(text)
        assert wanted_notes(tmp_path).read() == {}
    wanted_notes(tmp_path).note(["a.gguf", "b.gguf"], "qwen3-4b")
    assert wanted_notes(tmp_path).read() == {"a.gguf": "qwen3-4b", "b.gguf": "qwen3-4b"}
    wanted_notes(tmp_path / "no folder").note(["a.gguf"], "qwen3-4b")


async def test_a_better_model_is_named_only_while_the_bundled_one_answers(tmp_path):
    assistant = Assistant.open(tmp_path / "home")
    try:
        best = assistant.models.best()
        recommended = [one for one in assistant.models.advice() if one.recommended]
        assert [best] == recommended
        (assistant.paths.models / best.model.file).write_bytes(b"")
        assert assistant.models.best() is None
    finally:
        await assistant.close()


async def test_the_model_in_use_is_listed_wherever_it_lies(assistant, tiny):
    listed = [model for model in assistant.models.list() if model.path.resolve() == tiny.resolve()]
    assert [(model.name, model.source) for model in listed] == [(tiny.name, "file")]
    assert assistant.models.find(tiny.name).path.resolve() == tiny.resolve()


def test_whether_an_architecture_can_be_steered_is_told_by_the_catalogue():
    assert load_catalogue().steers("qwen2") is True
    assert load_catalogue().steers("never heard of") is None
