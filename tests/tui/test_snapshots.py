"""How the screens look, at the smallest and at a generous size."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from textual.widgets import Static, Tabs

import tui.app
from assistant.app import Assistant
from assistant.check import Check
from assistant.settings import Settings
from tests.tui import reading, samples
from tests.tui.doubles import ScriptedAssistant
from tui.app import AssistantApp
from tui.screens.compare import CompareScreen
from tui.screens.settings import SettingsScreen
from tui.widgets.conversations import ConversationList
from tui.widgets.forget_modal import ForgetModal
from tui.widgets.hits import HitList
from tui.widgets.import_modal import ImportModal
from tui.widgets.message import MessageView
from tui.widgets.prompt import Prompt

SIZES = [(80, 24), (140, 45)]
sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "140x45"])


async def send(pilot, text: str) -> None:
    pilot.app.screen.query_one(Prompt).insert(text)
    await pilot.press("enter")
    for _ in range(5):
        await pilot.pause()


async def quiet(pilot) -> None:
    for _ in range(5):
        await pilot.pause()


async def until(pilot, ready) -> None:
    await reading.until(pilot, ready)
    await quiet(pilot)


async def to_the_last_message(pilot) -> None:
    await pilot.press("up")
    await until(pilot, lambda: isinstance(pilot.app.screen.focused, MessageView))


async def turn_to(pilot, key: str, page: str) -> None:
    """Open a page of the settings, and wait until the focus has come into it."""
    await pilot.press("f2")
    await until(pilot, lambda: isinstance(pilot.app.screen, SettingsScreen) and pilot.app.screen.focused)
    await pilot.press(key)

    def arrived() -> bool:
        focused = pilot.app.screen.focused
        return isinstance(focused, Tabs) or (focused is not None and any(node.id == page for node in focused.ancestors))

    await until(pilot, arrived)


@sizes
def test_empty(snap_compare, size) -> None:
    assert snap_compare(samples.app_of(ScriptedAssistant()), terminal_size=size, run_before=quiet)


@sizes
def test_opening(snap_compare, size, monkeypatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(tui.app, "_import", lambda names: never.wait(2))

    async def typed(pilot) -> None:
        await until(pilot, lambda: pilot.app.focused is not None)
        await pilot.press(*"Hello", "enter", *"and")
        await quiet(pilot)

    app = AssistantApp(lambda: cast("Assistant", ScriptedAssistant()))
    assert snap_compare(app, terminal_size=size, run_before=typed)


@sizes
def test_conversation(snap_compare, size) -> None:
    async def rate(pilot) -> None:
        await to_the_last_message(pilot)
        await pilot.press("plus")
        await until(pilot, lambda: "liked" in reading.footer(pilot.app.screen.focused))

    assert snap_compare(samples.app_of(samples.with_conversations()), terminal_size=size, run_before=rate)


@sizes
def test_streaming(snap_compare, size) -> None:
    assistant = samples.with_profile()
    assistant.chat.script = samples.MARKDOWN.splitlines(keepends=True)
    assistant.chat.hold_at = 5

    async def ask(pilot) -> None:
        await send(pilot, samples.CONTEXT)

    assert snap_compare(samples.app_of(assistant), terminal_size=size, run_before=ask)


@sizes
def test_error(snap_compare, size) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.fail_at = 2

    async def ask(pilot) -> None:
        await send(pilot, "Why is the sky blue?")

    assert snap_compare(samples.app_of(assistant), terminal_size=size, run_before=ask)


@sizes
def test_searching(snap_compare, size) -> None:
    async def search(pilot) -> None:
        await pilot.press("ctrl+f", *"coffee")
        await until(pilot, lambda: pilot.app.screen.query_one(HitList).query_shown == "coffee")

    assert snap_compare(samples.app_of(samples.with_conversations()), terminal_size=size, run_before=search)


@sizes
def test_organised(snap_compare, size) -> None:
    """Pinned, tagged, archived, with a deletion that can be undone; the list has the focus."""
    assistant = samples.with_conversations()
    assistant.chat.change_conversation(1, pinned=True, tags=("work", "talks"))
    assistant.chat.change_conversation(2, archived=True)

    async def delete(pilot) -> None:
        conversations = pilot.app.screen.query_one(ConversationList)
        await pilot.press("ctrl+b")
        await quiet(pilot)
        if not conversations.has_focus:
            await pilot.press("ctrl+b")
            await until(pilot, lambda: conversations.has_focus)
        await pilot.press("end")
        await until(pilot, lambda: conversations.highlighted == conversations.option_count - 1)
        await pilot.press("d")
        await quiet(pilot)

    assert snap_compare(samples.app_of(assistant), terminal_size=size, run_before=delete)


@sizes
def test_import_preview(snap_compare, size) -> None:
    async def look(pilot) -> None:
        await turn_to(pilot, "1", "learned")
        await pilot.press("i")
        await until(pilot, lambda: isinstance(pilot.app.screen, ImportModal) and pilot.app.screen.focused)
        await pilot.press(*"chats.json", "enter")
        await until(pilot, lambda: pilot.app.screen.query("#import-add").first().display)

    assert snap_compare(samples.app_of(samples.with_items()), terminal_size=size, run_before=look)


@sizes
def test_forgetting(snap_compare, size) -> None:
    assistant = samples.with_conversations()
    assistant.forgetting.versions = (2, 3)

    async def ask(pilot) -> None:
        await to_the_last_message(pilot)
        await pilot.press("F")
        await until(pilot, lambda: isinstance(pilot.app.screen, ForgetModal))

    assert snap_compare(samples.app_of(assistant), terminal_size=size, run_before=ask)


@sizes
def test_comparing(snap_compare, size) -> None:
    """Blind, while both stream."""
    assistant = samples.with_profile()
    assistant.chat.script = samples.MARKDOWN.splitlines(keepends=True)
    assistant.chat.plain_script = ["An equal number of words. "] * len(assistant.chat.script)
    assistant.chat.hold_at = 5

    async def ask(pilot) -> None:
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await send(pilot, samples.CONTEXT)

    assert snap_compare(samples.app_of(assistant), terminal_size=size, run_before=ask)


@sizes
def test_compared(snap_compare, size) -> None:
    """After the choice, with a hostile text."""
    assistant = samples.with_profile()
    assistant.chat.script, assistant.chat.plain_script = [samples.HOSTILE], ["Yes."]

    async def choose(pilot) -> None:
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
        await send(pilot, samples.HOSTILE)
        await until(pilot, lambda: pilot.app.screen.check_action("prefer", ()))
        await pilot.press("2")
        await quiet(pilot)

    assert snap_compare(samples.app_of(assistant, swapped=True), terminal_size=size, run_before=choose)


@sizes
def test_nothing_to_compare(snap_compare, size) -> None:
    async def open_it(pilot) -> None:
        await pilot.press("f3")
        await quiet(pilot)

    assert snap_compare(samples.app_of(samples.with_conversations()), terminal_size=size, run_before=open_it)


@sizes
def test_rebuilding(snap_compare, size) -> None:
    assistant = samples.with_items()
    assistant.rebuild.script = samples.PROGRESS

    async def rebuild(pilot) -> None:
        await turn_to(pilot, "2", "rebuild")
        await pilot.press("b")
        done = f"{samples.PROGRESS[-1].done}/{samples.PROGRESS[-1].total}"
        await until(pilot, lambda: done in str(pilot.app.screen.query_one("#rebuild-progress", Static).content))

    assert snap_compare(samples.app_of(assistant), terminal_size=size, run_before=rebuild)


@sizes
def test_outcome(snap_compare, size) -> None:
    async def page(pilot) -> None:
        await turn_to(pilot, "3", "outcome")

    assert snap_compare(samples.app_of(samples.with_profile()), terminal_size=size, run_before=page)


@sizes
def test_no_gain(snap_compare, size) -> None:
    async def page(pilot) -> None:
        await turn_to(pilot, "3", "outcome")

    assert snap_compare(samples.app_of(samples.with_profile(False)), terminal_size=size, run_before=page)


@sizes
def test_imported_vectors(snap_compare, size) -> None:
    async def section(pilot) -> None:
        await turn_to(pilot, "3", "outcome")
        pilot.app.screen.query_one("#vectors").focus()
        await quiet(pilot)

    assert snap_compare(samples.app_of(samples.with_vectors()), terminal_size=size, run_before=section)


@sizes
def test_limited_outcome(snap_compare, size) -> None:
    """Another author's gain, and why the best method was not used."""

    async def page(pilot) -> None:
        await turn_to(pilot, "3", "outcome")

    assert snap_compare(samples.app_of(samples.with_limitation()), terminal_size=size, run_before=page)


@sizes
def test_learned_from(snap_compare, size) -> None:
    async def page(pilot) -> None:
        await turn_to(pilot, "1", "learned")

    assert snap_compare(samples.app_of(samples.with_profile()), terminal_size=size, run_before=page)


@sizes
def test_hostile_text(snap_compare, size) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.script = [samples.HOSTILE]

    async def ask(pilot) -> None:
        await send(pilot, samples.HOSTILE)

    assert snap_compare(samples.app_of(assistant), terminal_size=size, run_before=ask)


@sizes
def test_general_settings(snap_compare, size) -> None:
    async def page(pilot) -> None:
        await turn_to(pilot, "5", "general")

    assert snap_compare(samples.app_of(samples.with_items()), terminal_size=size, run_before=page)


@sizes
def test_privacy(snap_compare, size) -> None:
    """Well, and a file that others can read."""
    assistant = samples.with_items()
    loose = Path("/home/ada/.local/share/private-assistant/history.db")
    bad = Check("permissions", False, f"open to others: {loose}; correct it with chmod go-rwx")
    found = assistant.privacy.found
    assistant.privacy.found = replace(found, checks=(bad, *found.checks[1:]), open_to_others=(loose,))

    async def page(pilot) -> None:
        await turn_to(pilot, "7", "privacy")
        await until(pilot, lambda: any(one.display for one in pilot.app.screen.query("#privacy-close")))

    assert snap_compare(samples.app_of(assistant), terminal_size=size, run_before=page)


@sizes
def test_keys_of_ones_own(snap_compare, size) -> None:
    """Some changed, one of them not obeyed."""
    assistant = samples.with_items()
    assistant.settings = Settings(keys={"app.help": "f9", "app.nothing": "f10"})

    async def page(pilot) -> None:
        await turn_to(pilot, "6", "keys-page")
        pilot.app.clear_notifications()
        await quiet(pilot)

    assert snap_compare(samples.app_of(assistant), terminal_size=size, run_before=page)


@sizes
def test_versions(snap_compare, size) -> None:
    async def page(pilot) -> None:
        await turn_to(pilot, "4", "versions")

    assert snap_compare(samples.app_of(samples.with_profile()), terminal_size=size, run_before=page)


@sizes
def test_help(snap_compare, size) -> None:
    async def ask(pilot) -> None:
        await pilot.press("f1")
        await quiet(pilot)

    assert snap_compare(samples.app_of(samples.with_conversations()), terminal_size=size, run_before=ask)
