"""The versions page by its keys, with a real home under it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from textual.widgets import DataTable, Input, Static

from assistant.app import Assistant
from assistant.profile import version_file
from assistant.records import Phrase
from tests.assistant.conftest import prepare_home
from tests.assistant.made import add_profile, vector_bytes
from tests.tiny_models import write_tiny_model
from tests.tui.test_settings import open_page
from tui.app import AssistantApp
from tui.screens.settings import SettingsScreen
from tui.widgets.confirm import ConfirmModal
from tui.widgets.path_modal import PathModal
from tui.widgets.preferences.comparison import ComparisonModal
from tui.widgets.preferences.versions import VersionsPanel


@pytest.fixture
def app(tmp_path, monkeypatch) -> AssistantApp:
    """Two versions, the newer one in use."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assistant = Assistant.open(prepare_home(tmp_path / "home", write_tiny_model(tmp_path / "tiny.gguf")))
    vector = vector_bytes(tmp_path)
    add_profile(assistant, vector, phrases=(Phrase("[red]aye\x1b[2J", 1.0, 1, ()),))
    assistant.profiles.use(add_profile(assistant, vector, dose=0.25).version)
    return AssistantApp(assistant, clock=lambda: 0.0)


async def open_versions(pilot) -> DataTable:
    screen = await open_page(pilot, "4")
    table = screen.query_one("#versions DataTable", DataTable)
    table.focus()
    await pilot.pause()
    return table


def rows(table: DataTable) -> list[str]:
    return [" ".join(cell.plain for cell in table.get_row_at(row)).strip() for row in range(table.row_count)]


def told(app) -> list[str]:
    return [notification.message for notification in app._notifications]


async def test_export_and_import_make_a_version_of_a_file(app, settle, tmp_path: Path) -> None:
    async with app.run_test() as pilot:
        table = await open_versions(pilot)
        await pilot.press("x")
        await settle(pilot, lambda: isinstance(app.screen, PathModal))
        assert app.screen.query_one(Input).value == "~/version-2.zip"
        await pilot.press("enter")
        await settle(pilot, (tmp_path / "version-2.zip").is_file)
        await settle(pilot, lambda: isinstance(app.screen, SettingsScreen))
        await pilot.press("i")
        await settle(pilot, lambda: isinstance(app.screen, PathModal))
        app.screen.query_one(Input).value = "~/version-2.zip"
        await pilot.press("enter")
        await settle(pilot, lambda: table.row_count == 3)
        assert "imported" in rows(table)[0]
        assert "in use" in rows(table)[1], "it is not put to use"
        await pilot.press("i")
        await settle(pilot, lambda: isinstance(app.screen, PathModal))
        app.screen.query_one(Input).value = "~/tiny.gguf"
        await pilot.press("enter")
        await settle(pilot, lambda: "is not an exported version" in told(app)[-1])
        assert table.row_count == 3


async def test_an_export_asks_before_it_replaces_a_file(app, settle, tmp_path: Path) -> None:
    (tmp_path / "version-2.zip").write_text("mine")
    async with app.run_test() as pilot:
        await open_versions(pilot)
        await pilot.press("x")
        await settle(pilot, lambda: isinstance(app.screen, PathModal))
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, SettingsScreen))
        assert (tmp_path / "version-2.zip").read_text() == "mine"


async def test_delete_asks_and_the_version_in_use_stays(app, settle) -> None:
    async with app.run_test() as pilot:
        table = await open_versions(pilot)
        await pilot.press("d")
        await settle(pilot, lambda: bool(told(app)))
        assert "version 2 is in use; put another one to use" in told(app)[-1]
        assert isinstance(app.screen, SettingsScreen), "nothing is asked that will be refused"
        await pilot.press("down", "d")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, SettingsScreen))
        assert table.row_count == 2
        await pilot.press("d")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("y")
        await settle(pilot, lambda: table.row_count == 1)
        assert "2 in use" in rows(table)[0]


async def test_compare_shows_what_changed_and_text_as_it_is(app, settle) -> None:
    async with app.run_test() as pilot:
        await open_versions(pilot)
        await pilot.press("c")
        await settle(pilot, lambda: isinstance(app.screen, ComparisonModal))
        shown = str(app.screen.query_one("VerticalScroll Static", Static).render())
        assert "Version 1 → version 2" in shown
        assert "+ phrases (1): aye" in shown
        assert "- phrases (1): [red]aye" in shown
        assert "\x1b" not in shown
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, SettingsScreen))
        assert app.screen.query_one(VersionsPanel).has_focus_within


async def test_a_file_that_takes_its_time_does_not_hold_the_screen(app, settle, tmp_path: Path, monkeypatch) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def slowly(work):
        def wait(*args, **kwargs):
            begun.set()
            assert go_on.wait(60)
            return work(*args, **kwargs)

        return wait

    for name in ("write_version", "read_version"):
        monkeypatch.setattr(version_file, name, slowly(getattr(version_file, name)))
    async with app.run_test() as pilot:
        table = await open_versions(pilot)
        for key, done in (("x", lambda: "written" in told(app)[-1]), ("i", lambda: table.row_count == 3)):
            go_on.clear()
            begun.clear()
            await pilot.press(key)
            await settle(pilot, lambda: isinstance(app.screen, PathModal))
            app.screen.query_one(Input).value = "~/one.zip"
            await pilot.press("enter")
            await settle(pilot, begun.is_set)
            row = table.cursor_row
            await pilot.press("up" if row else "down")
            await settle(pilot, lambda row=row: table.cursor_row != row)
            go_on.set()
            await settle(pilot, done)


async def test_all_of_an_imported_version_is_told_in_80_columns(app, settle, tmp_path: Path) -> None:
    await app.assistant.profiles.export_version(1, tmp_path / "one.zip")
    await app.assistant.profiles.import_version(tmp_path / "one.zip")
    async with app.run_test(size=(80, 24)) as pilot:
        table = await open_versions(pilot)
        assert rows(table)[0].endswith("vector, imported")
        columns = table.ordered_columns
        before = sum(column.get_render_width(table) for column in columns[:-1])
        assert before + len("description, imported") + table.cell_padding <= table.size.width
        detail = app.screen.query_one("#version-detail", Static)
        assert "imported; the texts it learned from are not named in it" in str(detail.content)
        assert app.screen.region.contains_region(detail.region)
        await pilot.press("down")
        await settle(pilot, lambda: "imported" not in str(detail.content))
        assert "Version 2 of" in str(detail.content)
