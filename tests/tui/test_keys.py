"""Keys that work everywhere, pasting, errors of the storage, and what an import costs."""

import subprocess
import sys

import pytest
from textual.widgets import Static

from assistant.errors import AssistantError
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import write
from tests.tui.samples import app_of, with_conversations
from tui.widgets.chat_prompt import ChatPrompt
from tui.widgets.confirm import ConfirmModal
from tui.widgets.conversations import ConversationList
from tui.widgets.export_modal import ExportModal
from tui.widgets.forget_modal import ForgetModal
from tui.widgets.hits import HitList
from tui.widgets.import_modal import ImportModal
from tui.widgets.message import MessageView
from tui.widgets.prompt import Prompt
from tui.widgets.search_line import SearchLine
from tui.widgets.text_modal import LineModal, TextModal


async def test_control_c_quits_only_when_idle(settle) -> None:
    assistant = ScriptedAssistant()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await pilot.press("a", "ctrl+c")
        assert app.is_running
        assert app.screen.query_one(Prompt).text == ""
        await pilot.press("ctrl+c")
        await settle(pilot, lambda: app.return_value == 0)
    assert assistant.closed


async def test_control_q_quits(settle) -> None:
    assistant = ScriptedAssistant()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+q")
        await settle(pilot, lambda: app.return_value == 0)
    assert assistant.closed


async def test_pasted_escapes_become_visible(settle) -> None:
    from textual import events

    app = app_of(ScriptedAssistant())
    async with app.run_test() as pilot:
        app.screen.query_one(Prompt).post_message(events.Paste("a\x1b[2Jb\r\nc"))
        await settle(pilot, lambda: app.screen.query_one(Prompt).text == "a␛[2Jb\nc")


async def test_every_binding_has_an_id() -> None:
    from textual.binding import Binding

    from tui.app import AssistantApp
    from tui.screens.chat import ChatScreen
    from tui.screens.compare import CompareScreen
    from tui.screens.settings import SettingsScreen

    screens = (ChatScreen, CompareScreen, SettingsScreen)
    widgets = (MessageView, Prompt, ChatPrompt, ConversationList, SearchLine)
    modals = (TextModal, LineModal, ConfirmModal, ImportModal, ExportModal, ForgetModal)
    for owner in (AssistantApp, *screens, *widgets, *modals):
        assert all(isinstance(one, Binding) and one.id for one in owner.BINDINGS), owner


async def test_help_and_palette_are_drawn_from_the_bindings(settle) -> None:
    from textual.command import CommandPalette

    from tui.screens.help import HelpScreen

    app = app_of(with_conversations())
    async with app.run_test() as pilot:
        await pilot.press("f1")
        assert isinstance(app.screen, HelpScreen)
        shown = "\n".join(one.content.plain for one in app.screen.query(Static) if hasattr(one.content, "plain"))
        assert "Regenerate" in shown
        assert "/steer [0.8, on, off] Switch steering" in shown
        assert "shift+tab             To the last message" in shown
        await pilot.press("escape", "ctrl+p")
        assert isinstance(app.screen, CommandPalette)


async def test_a_storage_error_is_told_and_nothing_dies(settle, monkeypatch: pytest.MonkeyPatch) -> None:
    assistant = with_conversations()

    def full(*_: object, **__: object) -> None:
        raise AssistantError("history.db: the disk is full; free some space")

    app = app_of(assistant)
    async with app.run_test(notifications=True) as pilot:
        for name in ("new_conversation", "rate", "messages", "edit_reply"):
            monkeypatch.setattr(assistant.chat, name, full)
        for name in ("conversations", "deleted", "delete", "search", "set_pinned"):
            monkeypatch.setattr(assistant.history, name, full)
        await pilot.press("up", "plus")
        await settle(pilot, lambda: bool(app.screen.query(".notice.-error")))
        await pilot.press("ctrl+n")
        await write(pilot, "hi")
        await settle(pilot)
        await pilot.press("ctrl+b", "p", "d", "ctrl+f", *"hi")
        await settle(pilot, lambda: "disk is full" in app.screen.query_one(HitList).get_option_at_index(0).prompt.plain)
        assert app.is_running
        assert any("disk is full" in one.message for one in app._notifications)


def test_importing_the_screens_loads_nothing_heavy() -> None:
    code = "import sys, tui.app; print([m for m in ('torch', 'transformers', 'llama_cpp') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
