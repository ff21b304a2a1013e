"""The imported vectors by their keys; the last test has a real home under them."""

from pathlib import Path

import numpy as np
from textual.widgets import Button, DataTable, Input, Switch, Tabs

from assistant.app import Assistant
from tests.assistant.conftest import prepare_home, query
from tests.tiny_models import write_tiny_model, write_vector
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import status
from tests.tui.samples import app_of, with_vectors
from tests.tui.test_settings import open_page, shown
from tui.app import AssistantApp
from tui.screens.settings import SettingsScreen
from tui.widgets.confirm import ConfirmModal


async def open_vectors(pilot) -> DataTable:
    screen = await open_page(pilot, "3")
    table = screen.query_one("#vectors", DataTable)
    table.focus()
    await pilot.pause()
    return table


async def enter_path(pilot, path: str) -> Input:
    field = pilot.app.screen.query_one("#vector-path", Input)
    field.focus()
    field.value = path
    await pilot.press("enter")
    return field


def rows(table: DataTable) -> list[str]:
    return [" ".join(cell.plain for cell in table.get_row_at(row) if cell.plain) for row in range(table.row_count)]


def told(app) -> list[str]:
    return [notification.message for notification in app._notifications]


async def test_a_vector_is_listed_with_its_state_or_why_it_cannot_steer(settle) -> None:
    app = app_of(with_vectors())
    async with app.run_test() as pilot:
        table = await open_vectors(pilot)
        assert rows(table) == [
            "formal ● on × 0.5 llama, 29 blocks",
            "pirate ○ off × 1 llama, 29 blocks",
            "haiku ○ off × 1 made for qwen2 models, not llama",
        ]


async def test_space_and_enter_switch_the_current_vector_and_the_chat_says_so(settle) -> None:
    assistant = with_vectors()
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await settle(pilot, lambda: "steered · v3 × 1.0 + formal × 0.5 ·" in status(app))
        table = await open_vectors(pilot)
        await pilot.press("space")
        assert rows(table)[0] == "formal ○ off × 0.5 llama, 29 blocks"
        await pilot.press("down", "enter")
        assert [one.enabled for one in assistant.vectors.list()] == [False, True, True]
        assert rows(table)[1] == "pirate ● on × 1 llama, 29 blocks"
        await pilot.press("f2")
        await settle(pilot, lambda: "steered · v3 × 1.0 + pirate × 1.0 ·" in status(app))


async def test_plus_and_minus_weigh_the_current_vector_within_its_limits(settle) -> None:
    assistant = with_vectors()
    app = app_of(assistant)

    def strengths() -> list[float]:
        return [one.strength for one in assistant.vectors.list()]

    async with app.run_test() as pilot:
        table = await open_vectors(pilot)
        await pilot.press("plus")
        assert strengths() == [0.6, 1.0, 1.0]
        await pilot.press(*["minus"] * 6)
        assert strengths() == [0.0, 1.0, 1.0]
        assert rows(table)[0] == "formal ○ off × 0 llama, 29 blocks"
        await pilot.press("minus", "down", *["plus"] * 12)
        assert strengths() == [-0.1, 2.0, 1.0]
        await pilot.press("up", *["minus"] * 25)
        assert strengths() == [-2.0, 2.0, 1.0]
        assert rows(table)[0] == "formal ● on × -2 llama, 29 blocks"


async def test_removing_asks_first(settle) -> None:
    assistant = with_vectors()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        table = await open_vectors(pilot)
        for answer, left in (("escape", ["formal", "pirate", "haiku"]), ("y", ["formal", "haiku"])):
            table.move_cursor(row=1)
            await pilot.press("d")
            await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
            assert "“pirate”? This cannot be undone." in shown(app, ".question")
            assert app.screen.query_one("#keep", Button).has_focus
            await pilot.press(answer)
            await settle(pilot, lambda: isinstance(app.screen, SettingsScreen))
            await app.workers.wait_for_complete()
            assert [one.name for one in assistant.vectors.list()] == left
        assert [row.split()[0] for row in rows(table)] == ["formal", "haiku"]


async def test_without_a_profile_the_page_begins_with_the_vectors(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.vectors.add(Path("calm.gguf"))
    app = app_of(assistant)
    async with app.run_test() as pilot:
        screen = await open_page(pilot, "3")
        await settle(pilot, lambda: screen.query_one("#vectors").has_focus)
        await pilot.press("space")
        assert not assistant.vectors.list()[0].enabled


async def test_without_vectors_there_is_only_the_field_and_its_letters_are_text(settle) -> None:
    assistant = ScriptedAssistant()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        screen = await open_page(pilot, "3")
        await settle(pilot, lambda: isinstance(screen.focused, Tabs))
        await pilot.press("tab")
        await settle(pilot, lambda: screen.query_one("#vector-path").has_focus)
        assert not screen.query_one("#vectors").display
        assert shown(app, "#vectors-title") == "Imported vectors"
        await pilot.press("ctrl+s", *"d -+bo1", "enter")
        assert screen.query_one("#vector-path", Input).value == ""
        assert [one.name for one in assistant.vectors.list()] == ["d -+bo1"]
        assert screen.query_one("#vectors").display
        assert "space: on or off" in shown(app, "#vectors-title")
        assert isinstance(app.screen, SettingsScreen)
        screen.query_one("#vectors").focus()
        await pilot.press("o", "ctrl+s")
        assert (told(app), screen.query_one("#steering-on", Switch).value) == ([], False)


async def test_a_path_is_added_and_one_that_cannot_be_is_told_and_stays(settle) -> None:
    assistant = with_vectors()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        table = await open_vectors(pilot)
        before = rows(table)
        field = await enter_path(pilot, "/models/broken.gguf")
        assert "not a control vector" in told(app)[-1]
        assert field.value == "/models/broken.gguf"
        assert rows(table) == before
        field = await enter_path(pilot, "   ")
        assert rows(table) == before
        field = await enter_path(pilot, " /models/calm.gguf ")
        assert field.value == ""
        assert rows(table) == [*before, "calm ● on × 1 llama, 29 blocks"]


async def test_a_real_home_keeps_what_the_keys_do(settle, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    home = prepare_home(tmp_path / "home", write_tiny_model(tmp_path / "tiny.gguf"))
    write_vector(tmp_path / "calm.gguf", {1: np.ones(64, np.float32)})
    app = AssistantApp(Assistant.open(home), clock=lambda: 0.0)
    kept = "SELECT name, strength, enabled FROM vectors"
    async with app.run_test() as pilot:
        await open_page(pilot, "3")
        await enter_path(pilot, "~/tiny.gguf")
        assert "a llama file, not a control vector" in told(app)[-1]
        await enter_path(pilot, "~no-such-user/calm.gguf")
        assert "~no-such-user/calm.gguf: no such file" in told(app)[-1]
        assert query(home, kept) == []
        await enter_path(pilot, "~/calm.gguf")
        assert query(home, kept) == [("calm", 1.0, 1)]
        await enter_path(pilot, "~/calm.gguf")
        assert "there is a vector of that name" in told(app)[-1]
        app.screen.query_one("#vectors").focus()
        await pilot.press("minus", "minus", "space")
        assert query(home, kept) == [("calm", 0.8, 0)]
        await pilot.press("d")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("y")
        await settle(pilot, lambda: isinstance(app.screen, SettingsScreen))
        await app.workers.wait_for_complete()
        assert query(home, kept) == []
