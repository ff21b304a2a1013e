"""The first frame, what is typed into it, and what the program does by itself when it opens."""

import threading
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

import tui.app
from assistant.app import Assistant
from assistant.errors import SettingsError
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import complete, texts
from tests.tui.samples import app_of
from tui.app import AssistantApp
from tui.opening import FirstLook, OpeningScreen, first_look
from tui.screens.chat import ChatScreen
from tui.screens.settings import SettingsScreen
from tui.widgets.prompt import Prompt


@pytest.fixture
def held(monkeypatch):
    """The rest of the program is not read before it is let go."""
    go = threading.Event()
    monkeypatch.setattr(tui.app, "_import", lambda names: go.wait(60))
    yield go
    go.set()


def opening(open_home: Callable[[], ScriptedAssistant]) -> AssistantApp:
    return AssistantApp(lambda: cast("Assistant", open_home()), look=FirstLook("textual-light", sidebar=True))


def written(app) -> str:
    return app.screen.query_one(Prompt).text


async def test_what_is_typed_into_the_first_frame_is_typed_into_the_chat(settle, held) -> None:
    async with (app := opening(ScriptedAssistant)).run_test() as pilot:
        await settle(pilot, lambda: isinstance(app.screen, OpeningScreen) and app.focused is not None)
        assert app.theme == "textual-light"
        await pilot.press("W", "h", "y", "question_mark")
        app.post_message(events.Paste(" Two\nlines"))
        await settle(pilot, lambda: written(app) == "Why? Two\nlines")
        await pilot.press("enter", "m", "o", "r")
        held.set()
        await pilot.press("e")
        await settle(pilot, lambda: isinstance(app.screen, ChatScreen) and written(app) == "more")
        await settle(pilot, complete(app))
        assert texts(app)[0] == "Why? Two\nlines"


async def test_a_key_for_a_screen_waits_until_there_is_one(settle, held) -> None:
    async with (app := opening(ScriptedAssistant)).run_test() as pilot:
        await settle(pilot, lambda: isinstance(app.screen, OpeningScreen))
        await pilot.press("f2")
        assert isinstance(app.screen, OpeningScreen)
        held.set()
        await settle(pilot, lambda: isinstance(app.screen, SettingsScreen))


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+q"])
async def test_the_first_frame_can_be_left(settle, held, key) -> None:
    async with (app := opening(ScriptedAssistant)).run_test() as pilot:
        await settle(pilot, lambda: isinstance(app.screen, OpeningScreen))
        await pilot.press(key)
        await settle(pilot, lambda: app.return_value is not None)
        held.set()
    assert app.return_code == 0


async def test_a_home_that_cannot_be_opened_ends_the_program_with_the_reason(settle) -> None:
    trouble = SettingsError("settings.toml: line 3 is no TOML")

    def refuse() -> ScriptedAssistant:
        raise trouble

    async with (app := opening(refuse)).run_test() as pilot:
        await settle(pilot, lambda: app.failure is not None)
    assert (app.return_value, app.failure) == (1, trouble)


@given(st.binary())
def test_no_settings_file_stops_the_first_frame(tmp_path_factory, content) -> None:
    settings = tmp_path_factory.getbasetemp() / "any.toml"
    settings.write_bytes(content)
    assert isinstance(first_look(settings), FirstLook)


@pytest.mark.parametrize(
    ("content", "look"),
    [
        ('[appearance]\ntheme = "nord"\nsidebar = false', FirstLook("nord", sidebar=False)),
        ("[appearance]\ntheme = 3\nsidebar = 0", FirstLook()),
        ("appearance = 1", FirstLook()),
        (f"appearance = {'[' * 5000}", FirstLook()),
        ("", FirstLook()),
    ],
)
def test_the_first_frame_has_the_look_of_the_settings(tmp_path, content, look) -> None:
    (tmp_path / "settings.toml").write_text(content)
    assert first_look(tmp_path / "settings.toml") == look
    assert first_look(tmp_path / "none.toml") == FirstLook()


def notified(app) -> list[str]:
    return [note.message for note in app._notifications]


async def test_the_history_is_copied_when_the_program_opens(settle) -> None:
    assistant = ScriptedAssistant()
    async with app_of(assistant).run_test() as pilot:
        await settle(pilot, lambda: assistant.backups == 1)
        assert notified(pilot.app) == []


async def test_a_history_that_can_only_be_read_says_so_and_is_not_copied(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.only_reading = "history.db: no space is left on the disk [bold]; free some"
    async with app_of(assistant).run_test() as pilot:
        await settle(pilot, lambda: notified(pilot.app) == [assistant.only_reading])
        assert assistant.backups == 0
