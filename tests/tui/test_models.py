"""The models screen, by keys, over scripted models."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input, Static

from assistant.errors import DownloadError
from assistant.models.hub.download import Downloaded, Downloading
from assistant.models.local import ModelInfo
from assistant.models.own_folder import Unfinished
from tests.tui.doubles import ScriptedAssistant
from tests.tui.model_doubles import FOLDER, model
from tests.tui.samples import app_of, with_conversations, with_profile
from tui.screens.models import ModelsScreen
from tui.screens.settings import SettingsScreen
from tui.widgets.models.download_line import DownloadLine
from tui.widgets.models.rows import Coming, Here, Offered
from tui.widgets.models.table import ModelTable
from tui.widgets.prompt import Prompt
from tui.widgets.status import StatusLine

SIZES = [(80, 24), (140, 45)]
sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "140x45"])
HALF = Downloading("qwen2.5-1.5b-instruct-q4_k_m.gguf", 550_000_000, 1_100_000_000, 5_000_000.0, 110.0)


def table(app) -> ModelTable:
    return app.screen.query_one(ModelTable)


def said(app) -> str:
    return str(app.screen.query_one("#models-said", Static).content)


def progress(app) -> str:
    return str(app.screen.query_one(DownloadLine).content)


def with_models() -> ScriptedAssistant:
    """A model of our own, a broken one, one of Ollama, an interrupted download."""
    assistant = with_conversations()
    models = assistant.models
    models.here += [
        model("larger.gguf", architecture="qwen2"),
        model("broken.gguf", problem=f"{FOLDER}/broken.gguf: the file is cut short: 12 of 98 MB"),
        model("mistral:7b", "Ollama", architecture="mistral9"),
    ]
    part = FOLDER / ".incoming/gemma-3-1b-it-Q4_K_M.gguf.8ccc5cd1f1b36025.part"
    models.left = [Unfinished("gemma-3-1b-it-Q4_K_M.gguf", part, 300_000_000, "gemma-3-1b")]
    return assistant


async def opened(pilot, settle) -> None:
    await pilot.press("f4")
    await settle(pilot, lambda: isinstance(pilot.app.screen, ModelsScreen) and table(pilot.app).row_count > 0)


async def go_to(pilot, settle, wanted) -> None:
    """Put the cursor on a line by arrow keys."""
    await pilot.press("ctrl+home")
    for _ in range(table(pilot.app).row_count):
        await settle(pilot)
        if wanted(table(pilot.app).current):
            return
        await pilot.press("down")
    raise AssertionError("no such line")


def offered(name: str):
    return lambda row: isinstance(row, Offered) and row.advice.model.name == name


def here(name: str):
    return lambda row: isinstance(row, Here) and row.model.name == name


async def test_a_download_goes_on_while_one_chats_and_is_then_used(settle) -> None:
    assistant = with_conversations()
    app = app_of(assistant)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, settle)
        await go_to(pilot, settle, offered("qwen2.5-1.5b"))
        await pilot.press("enter")
        await settle(pilot, lambda: len(assistant.models.downloads) == 1)
        (download,) = assistant.models.downloads
        assert download.wanted == "qwen2.5-1.5b"
        download.events.put_nowait(HALF)
        await settle(pilot, lambda: "50%" in progress(app))
        assert "550 MB of 1.1 GB" in progress(app) and "5 MB/s" in progress(app) and "1 min 50 s left" in progress(app)
        await pilot.press("escape")
        await settle(pilot, lambda: len(app.screen_stack) == 2)
        assert "downloading 50%" in str(app.screen.query_one(StatusLine).content)
        app.screen.query_one(Prompt).insert("meanwhile")
        await pilot.press("enter")
        await settle(pilot, lambda: assistant.chat.messages(3)[-1].role == "assistant")
        await pilot.press("f4")
        assistant.models.here.append(model("qwen2.5-1.5b-instruct-q4_k_m.gguf"))
        download.events.put_nowait(Downloaded(FOLDER / "qwen2.5-1.5b-instruct-q4_k_m.gguf", already_there=False))
        await settle(pilot, lambda: "is here: u lets it answer" in progress(app))
        assistant.chat.go.set()
        await settle(pilot, lambda: not app._chat_screen.live.running)
        await pilot.press("u")
        await settle(pilot, lambda: "answers from now on" in said(app))
        assert assistant.models.used == "qwen2.5-1.5b-instruct-q4_k_m.gguf"
        assert "Nothing is learned for it yet" in said(app)


async def test_pause_resume_cancel(settle) -> None:
    assistant = with_conversations()
    app = app_of(assistant)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, settle)
        await go_to(pilot, settle, offered("qwen2.5-1.5b"))
        await pilot.press("enter")
        await settle(pilot, lambda: len(assistant.models.downloads) == 1)
        assistant.models.downloads[0].events.put_nowait(HALF)
        await settle(pilot, lambda: "50%" in progress(app))
        await pilot.press("p")
        await settle(pilot, lambda: "paused" in progress(app))
        assert assistant.models.downloads[0].how == "paused"
        await pilot.press("p")
        await settle(pilot, lambda: len(assistant.models.downloads) == 2)
        assert assistant.models.downloads[1].wanted == "qwen2.5-1.5b"
        await pilot.press("x")
        await settle(pilot, lambda: not app.screen.query_one(DownloadLine).display)
        assert assistant.models.downloads[1].how == "cancelled"


async def test_what_came_of_a_killed_program_goes_on_or_is_given_up(settle) -> None:
    assistant = with_models()
    app = app_of(assistant)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, settle)
        await go_to(pilot, settle, lambda row: isinstance(row, Coming))
        await pilot.press("enter")
        await settle(pilot, lambda: [one.wanted for one in assistant.models.downloads] == ["gemma-3-1b"])
        await pilot.press("p")
        await settle(pilot, lambda: not app.download_job.running)
        await go_to(pilot, settle, lambda row: isinstance(row, Coming))
        await pilot.press("d")
        await settle(pilot, lambda: len(app.screen_stack) == 4)
        await pilot.press("y")
        await settle(pilot, lambda: assistant.models.left == [])


async def test_what_goes_wrong_is_said_in_place(settle) -> None:
    assistant = with_models()
    app = app_of(assistant)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, settle)
        await go_to(pilot, settle, here("broken.gguf"))
        await pilot.press("enter")
        await settle(pilot, lambda: "cut short" in said(app))
        await pilot.press("a")
        app.screen.query_one(Input).value = "owner/repository"
        await pilot.press("enter")
        await settle(pilot, lambda: len(assistant.models.downloads) == 1)
        assistant.models.downloads[0].events.put_nowait(DownloadError("the hub cannot be reached; you may be offline"))
        await settle(pilot, lambda: "you may be offline" in progress(app))
        await pilot.press("a")
        app.screen.query_one(Input).value = "/models/broken.gguf"
        await pilot.press("enter")
        await settle(pilot, lambda: "not a GGUF file" in said(app))
        assert app.screen.query_one(Input).value == "/models/broken.gguf"
        app.screen.query_one(Input).value = "/models/fine.gguf"
        await pilot.press("enter")
        await settle(pilot, lambda: assistant.models.added == [Path("/models/fine.gguf")])
        await pilot.press("x")
        await settle(pilot, lambda: "you may be offline" not in progress(app))


async def test_removing_asks_and_names_what_it_means(settle) -> None:
    assistant = with_models()
    assistant.models.used = "larger.gguf"
    app = app_of(assistant)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, settle)
        assert here("larger.gguf")(table(app).current)
        await pilot.press("d")
        await settle(pilot, lambda: len(app.screen_stack) == 4)
        question = str(app.screen.query_one(".question", Static).content)
        assert "frees 98 MB" in question and "versions 2" in question and "bundled model will answer" in question
        await pilot.press("escape")
        await settle(pilot, lambda: len(app.screen_stack) == 3)
        assert assistant.models.removed == []
        await pilot.press("d")
        await settle(pilot, lambda: len(app.screen_stack) == 4)
        await pilot.press("y")
        await settle(pilot, lambda: assistant.models.removed == ["larger.gguf"])
        await go_to(pilot, settle, here("SmolLM2-135M.gguf"))
        await pilot.press("d")
        await settle(pilot, lambda: "not ours to delete" in said(app))


async def test_the_cache_is_cleared_after_a_question(settle) -> None:
    assistant = with_models()
    app = app_of(assistant)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, settle)
        assert "cache 270 MB" in str(app.screen.query_one("#models-head", Static).content)
        await pilot.press("k")
        await settle(pilot, lambda: len(app.screen_stack) == 4)
        await pilot.press("y")
        await settle(pilot, lambda: "270 MB freed" in said(app))
        assert "cache 0 kB" in str(app.screen.query_one("#models-head", Static).content)


async def test_what_was_learned_for_the_model_is_offered(settle) -> None:
    assistant = with_profile()
    assistant.models.here.append(model("larger.gguf"))
    profile = assistant.profiles.current()
    assistant.profiles.put(replace(profile, version=9, model_fingerprint="larger.gguf", in_use=False))
    assistant.profiles.use(profile.version)
    app = app_of(assistant)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, settle)
        await go_to(pilot, settle, here("larger.gguf"))
        await pilot.press("enter")
        await settle(pilot, lambda: "Version 9 was made for this model: v puts it to use" in said(app))
        await pilot.press("v")
        await settle(pilot, lambda: "Version 9 steers" in said(app))
        assert assistant.profiles.state().version == 9


@pytest.mark.parametrize("before", [[], ["f2"]], ids=["from the chat", "from the settings"])
async def test_a_rebuild_for_the_model_is_one_key_away(settle, before) -> None:
    assistant = with_profile()
    assistant.models.here.append(model("larger.gguf"))
    app = app_of(assistant)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press(*before)
        await settle(pilot)
        await opened(pilot, settle)
        await go_to(pilot, settle, here("larger.gguf"))
        await pilot.press("enter")
        await settle(pilot, lambda: "b rebuilds from the same" in said(app) and "1.4 GB" in said(app))
        await pilot.press("b")
        await settle(pilot, lambda: assistant.rebuild.running and isinstance(app.screen, SettingsScreen))
        assert len(app.screen_stack) == 3


async def test_a_click_on_the_line_and_one_more_lets_a_model_answer(settle) -> None:
    assistant = with_models()
    app = app_of(assistant)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, settle)
        await pilot.click(ModelTable, offset=(8, 2))
        await settle(pilot, lambda: here("larger.gguf")(table(app).current))
        assert assistant.models.used == "SmolLM2-135M.gguf"
        await pilot.click(ModelTable, offset=(8, 2))
        await settle(pilot, lambda: assistant.models.used == "larger.gguf")


async def test_leaving_while_the_disk_is_looked_at_is_harmless(settle, monkeypatch: pytest.MonkeyPatch) -> None:
    assistant = with_models()
    looking, go = threading.Event(), threading.Event()

    def slow() -> list[ModelInfo]:
        looking.set()
        go.wait(20)
        return assistant.models.here

    app = app_of(assistant)
    async with app.run_test(size=(100, 30)) as pilot:
        monkeypatch.setattr(assistant.models, "list", slow)
        await pilot.press("f4")
        await settle(pilot, looking.is_set)
        await pilot.press("escape")
        go.set()
        await settle(pilot, lambda: len(app.screen_stack) == 2)
        await settle(pilot)
        assert app.is_running


@sizes
def test_models_screen(snap_compare, size, settle) -> None:
    async def show(pilot) -> None:
        await opened(pilot, settle)
        await go_to(pilot, settle, offered("qwen2.5-1.5b"))
        await pilot.press("enter")
        models = pilot.app.assistant.models
        await settle(pilot, lambda: len(models.downloads) == 1)
        models.downloads[0].events.put_nowait(HALF)
        await settle(pilot, lambda: "50%" in progress(pilot.app))

    assert snap_compare(app_of(with_models()), terminal_size=size, run_before=show)


@sizes
def test_first_run(snap_compare, size, settle) -> None:
    assistant = ScriptedAssistant()
    assistant.models.recommended = True

    async def show(pilot) -> None:
        await settle(pilot)

    assert snap_compare(app_of(assistant), terminal_size=size, run_before=show)
