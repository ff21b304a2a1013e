"""What the screens say about keys is true, whichever keys a person has given to what."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.widgets import Button, Input, Static

import tui
from assistant.models.hub.download import Downloaded
from assistant.settings import Settings
from tests.tui.doubles import ScriptedAssistant
from tests.tui.model_doubles import FOLDER
from tests.tui.reading import until, views
from tests.tui.samples import app_of, with_conversations, with_profile, with_vectors
from tests.tui.test_models import HALF, offered, with_models
from tui.app import AssistantApp
from tui.hints import KEY
from tui.key_sections import key_sections
from tui.keymap import bindings_of, key_names
from tui.screens.chat import ChatScreen
from tui.screens.compare import CompareScreen
from tui.screens.help import HelpScreen
from tui.screens.models import ModelsScreen
from tui.screens.settings import SettingsScreen
from tui.widgets.choice import ChoiceModal
from tui.widgets.confirm import ConfirmModal
from tui.widgets.conversations import ConversationList
from tui.widgets.export_modal import ExportModal
from tui.widgets.forget_modal import ForgetModal
from tui.widgets.import_modal import ImportModal
from tui.widgets.keys_panel import KeysPanel
from tui.widgets.message import MessageView
from tui.widgets.models.table import ModelTable
from tui.widgets.path_modal import PathModal
from tui.widgets.preferences.comparison import ComparisonModal
from tui.widgets.text_modal import LineModal, TextModal

SECTIONS = key_sections(AssistantApp.BINDINGS)
IDS = list(bindings_of(SECTIONS))
MODIFIERS = ("alt", "super", "meta", "ctrl+alt", "shift+alt")
STRANGE = [f"{modifier}+{letter}" for modifier in MODIFIERS for letter in string.ascii_lowercase]
OTHERS = dict(zip(IDS, STRANGE, strict=False))
"""Every binding on a key that nobody would have it on, each on another one."""
USUAL = re.compile(
    r"(?<![\w+])(?:esc|ctrl\+(?!alt)(?!z)\w|f[1-9]\b|[↑←↓]|space|press \w\b|[a-zA-Z]: "
    r"|[a-zA-Z] (?:adds|cancels|checks|copies|deletes|goes|imports|lets|pauses|puts|rebuilds|removes|stops|undoes)"
    r")"
    r"|\[(?:esc|[a-z])\]|^\d [A-Z]"
)
"""How a hint would name a usual key. ctrl+z is the text area's own, which cannot be another."""


class Tour:
    """Goes through the screens by keys of one's own, and reads what is said there."""

    def __init__(self, pilot) -> None:
        self.pilot, self.app = pilot, pilot.app
        self.seen: list[str] = []

    async def press(self, *names: str) -> None:
        await self.pilot.press(*(OTHERS.get(name, name) for name in names))

    async def to(self, kind: type, *names: str) -> None:
        await self.press(*names)
        await until(self.pilot, lambda: isinstance(self.app.screen, kind))

    async def until(self, ready: Callable[[], object]) -> None:
        await until(self.pilot, ready)

    def read(self, *expected: str) -> None:
        """All that stands on the screen names no usual key, and the expected bindings by their keys."""
        said = list(_texts(self.app))
        for text in said:
            assert not USUAL.search(text), (type(self.app.screen).__name__, text)
        for name in expected:
            assert any(OTHERS[name] in text for text in said), (name, said)


def _texts(app) -> Iterator[str]:
    for screen in app.screen_stack[1:]:
        for widget in screen.walk_children():
            match widget:
                case Button():
                    yield widget.label.plain
                case Input():
                    yield widget.placeholder
                case Static():
                    yield str(widget.content)
    for note in app._notifications:
        yield note.message


def strange(assistant: ScriptedAssistant) -> AssistantApp:
    assistant.settings = Settings(keys=OTHERS)
    return app_of(assistant)


def test_there_is_another_key_for_every_binding() -> None:
    assert len(OTHERS) == len(IDS)
    assert key_names(SECTIONS, OTHERS) == OTHERS


@pytest.mark.parametrize(
    ("keys", "called"),
    [("escape,x", "esc"), ("?", "?"), ("ctrl+@", "ctrl+@"), ("shift+f3", "shift+f3"), ("up", "↑"), ("space", "space")],
)
def test_a_key_is_called_as_one_would_write_it(keys, called) -> None:
    assert key_names(SECTIONS, {"app.help": keys})["app.help"] == called


def test_usual_keys_are_called_as_one_would_write_them() -> None:
    names = key_names(SECTIONS, {})
    said = (
        "prompt.send",
        "outcome.save",
        "app.settings",
        "chat.stop",
        "message.up",
        "models.remove",
        "sidebar.archived",
    )
    assert [names[name] for name in said] == ["enter", "ctrl+s", "f2", "esc", "+", "d", "A"]


def _strings() -> Iterator[tuple[str, str]]:
    """Every string in the code of the screens that is no docstring, and where it stands."""
    for path in sorted(Path(tui.__path__[0]).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        bindings = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Binding"
            for part in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs | bindings:
                yield f"{path.name}:{node.lineno}", node.value


def test_every_key_that_a_hint_names_is_that_of_a_binding() -> None:
    named = [(place, name) for place, text in _strings() for name in KEY.findall(text)]
    assert len(named) > 30
    assert [one for one in named if one[1] not in IDS] == []


def test_no_hint_has_a_key_written_into_it() -> None:
    fixed = [(place, text) for place, text in _strings() if USUAL.search(text)]
    assert [one for one in fixed if one[1] not in ("escape",)] == []


async def test_the_chat_names_the_keys_of_ones_own() -> None:
    app = strange(ScriptedAssistant())
    async with app.run_test(size=(140, 45), notifications=True) as pilot:
        tour = Tour(pilot)
        await tour.until(lambda: "Write and press" in str(app.screen.query_one("#welcome", Static).content))
        tour.read("prompt.send", "app.settings", "chat.search_by_slash")
    assistant = with_conversations()
    assistant.chat.hold_at = 1
    app = strange(assistant)
    async with app.run_test(size=(140, 45), notifications=True) as pilot:
        tour = Tour(pilot)
        app.screen.query_one("#prompt").insert("Why?")
        await tour.press("prompt.send")
        await tour.until(lambda: app.screen.query_one("#status", Static).content.plain.startswith("◉"))
        app.screen.query_one("#prompt").insert("And then?")
        await tour.press("prompt.send")
        await tour.until(lambda: app.screen.query_one("WaitingMessages", Static).display)
        tour.read("chat.stop", "prompt.older")
        await tour.press("prompt.messages")
        await tour.until(lambda: isinstance(app.focused, MessageView))
        await tour.press("message.regenerate")
        tour.read("chat.stop")
        await tour.press("chat.prompt")
        app.screen.query_one("#prompt").focus()
        await tour.press("prompt.older", "chat.stop")
        await tour.until(lambda: "goes on" in str(views(app)[-1].query_one(".footer", Static).content))
        tour.read("message.continue")
        app.screen.query_one(ConversationList).focus()
        await tour.press("sidebar.archive", "sidebar.archived", "sidebar.delete")
        await tour.until(lambda: any("undoes" in note.message for note in app._notifications))
        tour.read("sidebar.archived", "sidebar.undo")
        await tour.to(ForgetModal, "sidebar.archived", "sidebar.forget")
        tour.read("forget.keep", "forget.forget")
        await tour.to(ChatScreen, "forget.keep")
        await tour.to(LineModal, "sidebar.rename")
        tour.read("line.cancel")
        await tour.to(ChatScreen, "line.cancel")
        await tour.to(HelpScreen, "app.help")
        tour.read(*(name for name in IDS if "ctrl" not in OTHERS[name]))


async def test_the_settings_name_the_keys_of_ones_own() -> None:
    app = strange(with_vectors())
    async with app.run_test(size=(140, 90), notifications=True) as pilot:
        tour = Tour(pilot)
        await tour.to(SettingsScreen, "app.settings")
        await tour.until(lambda: OTHERS["learned.measure"] in _all(app))
        tour.read("learned.toggle", "learned.add", "learned.measure")
        tour.read(*(f"settings.{page}" for page in ("learned", "rebuild_page", "outcome", "versions", "general")))
        tour.read("settings.keys", "settings.privacy")
        await tour.press("learned.measure")
        tour.read("learned.measure")
        await tour.to(TextModal, "learned.add")
        tour.read("edit.save", "edit.cancel")
        await tour.to(SettingsScreen, "edit.cancel")
        await tour.to(ImportModal, "learned.import")
        tour.read("import.back")
        await pilot.press(*"chats.json", "enter")
        await tour.until(lambda: app.screen.query_one("#import-add").display)
        tour.read("import.back", "import.add")
        await tour.press("import.add")
        await tour.until(lambda: "closes" in _all(app))
        tour.read("import.back")
        await tour.to(SettingsScreen, "import.back")
        await tour.press("settings.outcome")
        await tour.until(lambda: app.screen.query("#vectors"))
        await tour.until(lambda: OTHERS["vectors.toggle"] in _all(app))
        tour.read("phrase.why", "phrase.veto", "outcome.save", "vectors.toggle", "vectors.up", "vectors.remove")
        await tour.press("settings.versions")
        await tour.until(lambda: app.screen.query("#versions"))
        tour.read("versions.use", "versions.compare", "versions.export", "versions.import", "versions.delete")
        await tour.press("settings.keys")
        await tour.until(lambda: app.screen.query(KeysPanel))
        tour.read("keys.change", "keys.reset")
        await tour.press("settings.privacy")
        await tour.until(lambda: OTHERS["privacy.look"] in _all(app))
        tour.read("privacy.look", "privacy.close", "sidebar.forget", "message.forget")
        await tour.press("settings.rebuild_page")
        await tour.until(lambda: "What learns" in _all(app))
        tour.read("settings.general")
        await tour.press("settings.find")
        await tour.until(lambda: app.screen.query("#find-setting"))
        tour.read("settings.find")


async def test_the_settings_of_a_beginner_name_the_keys_of_ones_own() -> None:
    app = strange(ScriptedAssistant())
    async with app.run_test(size=(140, 45), notifications=True) as pilot:
        tour = Tour(pilot)
        await tour.to(SettingsScreen, "app.settings")
        await tour.press("settings.outcome")
        await tour.until(lambda: app.screen.query("#outcome-none"))
        await tour.press("settings.versions")
        await tour.until(lambda: app.screen.query("#versions"))
        tour.read("learned.add", "learned.import", "settings.rebuild", "versions.import")


async def test_the_models_name_the_keys_of_ones_own() -> None:
    assistant = with_models()
    app = strange(assistant)
    async with app.run_test(size=(140, 45), notifications=True) as pilot:
        tour = Tour(pilot)
        await tour.to(ModelsScreen, "app.models")
        table = app.screen.query_one(ModelTable)
        await tour.until(lambda: table.row_count)
        for row in range(table.row_count):
            table.move_cursor(row=row)
            await pilot.pause()
            tour.read()
        while not offered("qwen2.5-1.5b")(table.current):
            table.move_cursor(row=row)
            row -= 1
        await pilot.press("enter")
        await tour.until(lambda: assistant.models.downloads)
        tour.read("models.cancel")
        await pilot.press("enter")
        tour.read("models.cancel")
        assistant.models.downloads[0].events.put_nowait(HALF)
        await tour.until(lambda: "50%" in _all(app))
        tour.read("models.pause", "models.cancel")
        await tour.press("models.pause")
        await tour.until(lambda: "paused" in _all(app))
        tour.read("models.pause", "models.cancel")
        await tour.press("models.pause")
        await tour.until(lambda: len(assistant.models.downloads) == 2)
        assistant.models.downloads[1].events.put_nowait(Downloaded(FOLDER / "larger.gguf", already_there=False))
        await tour.until(lambda: "is here" in _all(app))
        tour.read("models.use_downloaded")
        await tour.press("models.use_downloaded")
        await tour.until(lambda: "answers from now on" in _all(app))
        tour.read()


async def test_side_by_side_names_the_keys_of_ones_own() -> None:
    app = strange(with_conversations())
    async with app.run_test(size=(140, 45), notifications=True) as pilot:
        tour = Tour(pilot)
        await tour.to(CompareScreen, "chat.compare")
        tour.read("app.settings")
    assistant = with_profile()
    assistant.chat.hold_at = 1
    app = strange(assistant)
    async with app.run_test(size=(140, 45), notifications=True) as pilot:
        tour = Tour(pilot)
        await tour.to(CompareScreen, "chat.compare")
        app.screen.query_one("#prompt").insert("Why?")
        await tour.press("prompt.send")
        await tour.until(lambda: "writing both" in _all(app))
        tour.read("compare.stop")
        assistant.chat.go.set()
        await tour.until(lambda: "Which one is better" in _all(app))
        tour.read("compare.first", "compare.second", "compare.neither", "compare.labels")


@pytest.mark.parametrize(
    ("dialog", "expected"),
    [
        (lambda: ConfirmModal("Sure?", "Erase"), ("confirm.no", "confirm.yes")),
        (lambda: ChoiceModal("Which?", ["one"]), ("choice.cancel",)),
        (lambda: PathModal("Where?", "A file."), ("path.cancel",)),
        (lambda: LineModal("Title"), ("line.cancel",)),
        (lambda: TextModal("Text"), ("edit.save", "edit.cancel")),
        (lambda: ExportModal(None, 1), ("export.cancel",)),
        (lambda: ComparisonModal(["+ one"]), ("comparison.close",)),
    ],
)
async def test_a_dialog_names_the_keys_of_ones_own(dialog, expected) -> None:
    app = strange(ScriptedAssistant())
    async with app.run_test(notifications=True) as pilot:
        tour = Tour(pilot)
        modal = dialog()
        await app.push_screen(modal)
        await tour.until(lambda: OTHERS[expected[0]] in _all(app))
        tour.read(*expected)
        await tour.to(ChatScreen, expected[0])


async def test_hints_that_stand_already_name_a_key_as_soon_as_it_is_another() -> None:
    assistant = with_vectors()
    app = app_of(assistant)
    async with app.run_test(size=(140, 90)) as pilot:
        tour = Tour(pilot)
        await pilot.press("ctrl+n", "f2")
        await tour.until(lambda: isinstance(app.screen, SettingsScreen) and app.screen.focused)
        for page, panel in (("3", "#vectors"), ("4", "#versions"), ("5", "#find-setting"), ("6", "#keys")):
            await pilot.press(page)
            await tour.until(lambda panel=panel: app.screen.query(panel))
        await tour.until(lambda: "Save description [ctrl+s]" in _all(app) and "space: out or in" in _all(app))
        assistant.settings = Settings(keys=OTHERS)
        app.screen.query_one(KeysPanel).post_message(KeysPanel.Changed())
        names = ("learned.toggle", "learned.measure", "outcome.save", "phrase.veto", "vectors.toggle", "versions.use")
        await tour.until(lambda: OTHERS["settings.find"] in _all(app))
        tour.read(
            *names,
            "settings.learned",
            "settings.privacy",
            "settings.find",
            "keys.change",
            "prompt.send",
            "app.settings",
            "chat.search_by_slash",
        )


def _all(app) -> str:
    return "\n".join(_texts(app))
