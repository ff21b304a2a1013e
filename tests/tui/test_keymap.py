"""Keys of one's own: told by Pilot, and by what Textual itself makes of them."""

from __future__ import annotations

import importlib
import pkgutil

from textual.binding import Binding
from textual.widgets import DataTable, Input, Select, Static, Switch

import tui
from assistant.settings import Settings
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import views
from tests.tui.samples import app_of, with_conversations, with_items
from tests.tui.test_settings import open_page
from tui.app import AssistantApp
from tui.key_sections import key_sections
from tui.keymap import bindings_of, keymap_of, problem_with
from tui.screens.chat import ChatScreen
from tui.screens.help import HelpScreen
from tui.screens.settings import SettingsScreen
from tui.widgets.setting_row import SettingRow

SECTIONS = [
    ("Everywhere", [Binding("f1", "help", "Help", id="app.help")]),
    ("Chat", [Binding("ctrl+n", "new", "New chat", id="chat.new"), Binding("escape", "stop", "Stop", id="chat.stop")]),
    ("Settings", [Binding("b", "rebuild", "Rebuild", id="settings.rebuild")]),
]


def test_what_cannot_be_obeyed_is_named_and_the_rest_holds() -> None:
    wanted = {"app.help": "f5, ?", "chat.mew": "x", "chat.new": "hyper+n", "settings.rebuild": "f5"}
    found = keymap_of(wanted, SECTIONS)
    assert found.keys == {"app.help": "f5,?"}
    unknown, no_key, taken = found.problems
    assert "chat.mew" in unknown
    assert "hyper+n" in no_key
    assert "Help" in taken


def test_a_key_may_mean_different_things_in_places_that_are_never_active_together() -> None:
    assert problem_with("chat.new", "b", SECTIONS, {}) == ""
    assert "Stop" in problem_with("chat.new", "escape", SECTIONS, {})
    assert problem_with("chat.new", "escape", SECTIONS, {"chat.stop": "f9"}) == ""
    assert "Rebuild" in problem_with("app.help", "b", SECTIONS, {})


def test_a_page_and_the_screen_that_it_is_part_of_are_active_together() -> None:
    page = ("Settings › Versions", [Binding("u", "use", "Use", id="versions.use")])
    other = ("Settings › Keys", [Binding("x", "reset", "Usual keys", id="keys.reset")])
    sections = [*SECTIONS, page, other]
    assert "Rebuild" in problem_with("versions.use", "b", sections, {})
    assert "Use" in problem_with("settings.rebuild", "u", sections, {})
    assert problem_with("versions.use", "x", sections, {}) == ""


def test_the_names_of_our_own_keys_are_keys() -> None:
    sections = key_sections(AssistantApp.BINDINGS)
    for name, binding in bindings_of(sections).items():
        for key in binding.key.split(","):
            assert "is no key" not in problem_with(name, key, sections, {}), key
    assert problem_with("chat.new", "ctrl+comma,f12", SECTIONS, {}) == ""


def test_what_is_taken_within_the_chat_or_never_comes_is_refused() -> None:
    sections = key_sections(AssistantApp.BINDINGS)
    for key, means in (("enter", "Send"), ("e", "Edit"), ("A", "Show archived")):
        assert means in problem_with("chat.new", key, sections, {})
    assert "a terminal sends “N” for “shift+n”" in problem_with("chat.new", "shift+n", sections, {})
    assert problem_with("chat.new", "N", sections, {}) == ""


def test_every_key_of_ours_can_be_another_one() -> None:
    known = bindings_of(key_sections(AssistantApp.BINDINGS))
    modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(tui.__path__, "tui.")]
    kinds = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    ours = [kind for kind in kinds if kind.__module__.startswith("tui.") and "BINDINGS" in vars(kind)]
    assert len(ours) > 25
    for kind in ours:
        for binding in kind.BINDINGS:
            assert isinstance(binding, Binding), (kind, binding)
            assert known.get(binding.id) is binding, (kind, binding)


def test_no_two_keys_have_one_name() -> None:
    names = [one.id for _, bindings in key_sections(AssistantApp.BINDINGS) for one in bindings]
    assert len(names) == len(set(names))


async def test_a_key_within_a_page_can_be_another_one(settle) -> None:
    assistant = with_items()
    assistant.settings = Settings(keys={"learned.toggle": "z"})
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await open_page(pilot, "1")
        used = [item.used for item in assistant.preferences.items()]
        await pilot.press("z")
        await settle(pilot, lambda: [item.used for item in assistant.preferences.items()] != used)


async def test_keys_from_the_settings_are_obeyed_and_in_the_help(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.settings = Settings(keys={"app.settings": "f9", "app.nothing": "f10"})
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await pilot.press("f9")
        await settle(pilot, lambda: isinstance(app.screen, SettingsScreen))
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, ChatScreen))
        await pilot.press("f1")
        await settle(pilot, lambda: isinstance(app.screen, HelpScreen))
        lines = "\n".join(str(line.content) for line in app.screen.query(Static))
        assert "f9" in next(line for line in lines.split("\n") if line.endswith("Settings") and line.startswith("f"))
        assert any("app.nothing" in note.message for note in app._notifications)


async def test_other_keys_are_given_and_taken_back_in_the_settings(settle) -> None:
    assistant = ScriptedAssistant()
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        table = (await open_page(pilot, "6")).query_one("#keys", DataTable)
        await settle(pilot, lambda: app.focused is table)
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(app.focused, Input))
        app.focused.value = "f8"
        await pilot.press("enter")
        await settle(pilot, lambda: assistant.settings.keys == {"app.help": "f8"})
        await pilot.press("f8")
        await settle(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape")
        await settle(pilot, lambda: app.focused is table)
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(app.focused, Input))
        app.focused.value = "f2"
        await pilot.press("enter")
        await settle(pilot, lambda: any("already means" in note.message for note in app._notifications))
        assert assistant.settings.keys == {"app.help": "f8"}
        await pilot.press("x")
        await settle(pilot, lambda: assistant.settings.keys == {})
        await pilot.press("f1")
        await settle(pilot, lambda: isinstance(app.screen, HelpScreen))


async def test_the_key_that_sends_can_be_another(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.settings = Settings(keys={"prompt.send": "ctrl+s", "prompt.newline": "enter"})
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await pilot.press("a", "enter", "b", "ctrl+s")
        await settle(pilot, lambda: [view.record.text for view in views(app)][:1] == ["a\nb"])


async def test_settings_are_found_by_words_and_go_back_to_their_default(settle) -> None:
    assistant = with_conversations()
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await open_page(pilot, "1")
        await pilot.press("ctrl+f")
        await settle(pilot, lambda: app.focused is not None and app.focused.id == "find-setting")
        find = app.screen.query_one("#find-setting", Input)
        await pilot.press(*"temper")
        await settle(pilot, lambda: not app.screen.query_one("#setting-appearance-theme").display)
        shown = [row.key for row in app.screen.query(SettingRow) if row.display]
        assert shown == ["temperature"]
        find.value = "no such words"
        await settle(pilot, lambda: app.screen.query_one("#no-setting").display)
        find.value = ""
        row = app.screen.query_one("#setting-appearance-sidebar", SettingRow)
        switch = row.query_one(Switch)
        switch.focus()
        switch.value = False
        await settle(pilot, lambda: assistant.settings.appearance.sidebar is False)
        assert "changed" in str(row.query_one(".label", Static).content)
        await pilot.press("ctrl+r")
        await settle(pilot, lambda: assistant.settings.appearance.sidebar is True)
        assert switch.value is True
        assert "changed" not in str(row.query_one(".label", Static).content)
        app.screen.query_one("#setting-appearance-theme Select", Select).value = "nord"
        await settle(pilot, lambda: app.theme == "nord")
        app.screen.query_one("#setting-appearance-theme Select", Select).focus()
        await pilot.press("ctrl+r")
        await settle(pilot, lambda: app.theme == "textual-dark")
