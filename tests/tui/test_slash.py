"""Slash commands in the prompt: completed, obeyed, refused with the text kept, or said literally."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from textual.command import CommandPalette
from textual.widgets import Input

from assistant.errors import AssistantError, ModelError
from assistant.records import MessageState
from tests.tui.doubles import ScriptedAssistant
from tests.tui.model_doubles import ScriptedModels
from tests.tui.reading import complete, status, texts, views, write
from tests.tui.samples import app_of, with_conversations, with_profile
from tui.prompting.slash import COMMANDS
from tui.screens.compare import CompareScreen
from tui.screens.help import HelpScreen
from tui.screens.models import ModelsScreen
from tui.screens.settings import SettingsScreen
from tui.widgets.completions import CompletionList
from tui.widgets.forget_modal import ForgetModal
from tui.widgets.import_modal import ImportModal
from tui.widgets.prompt import Prompt
from tui.widgets.text_modal import LineModal, TextModal


def prompt(app) -> Prompt:
    return app.screen_stack[1].query_one(Prompt)


def offered(app) -> list[str]:
    shown = app.screen_stack[1].query_one(CompletionList)
    return [option.prompt.plain.lstrip("▸ ").split("  ")[0] for option in shown.options] if shown.display else []


def told(app) -> str:
    return "\n".join(one.message for one in app._notifications)


class Models(ScriptedModels):
    """Two model files; a third one is broken."""

    def __init__(self) -> None:
        super().__init__()
        self.chosen = "small.gguf"

    def list(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=name, source="ours") for name in ("small.gguf", "large.gguf")]

    def in_use(self) -> Path:
        return Path(self.chosen)

    def use(self, name: str) -> SimpleNamespace:
        if name == "broken.gguf":
            raise ModelError("broken.gguf: not a model")
        self.chosen = name
        return SimpleNamespace(name=name)


async def test_commands_are_completed_by_keys(settle) -> None:
    app = app_of(with_profile())
    async with app.run_test() as pilot:
        await pilot.press("slash")
        await settle(pilot, lambda: len(offered(app)) == len(COMMANDS))
        await pilot.press("t")
        await settle(pilot, lambda: offered(app)[:2] == ["/title [TEXT]", "/tag [TAGS]"])
        await pilot.press("down", "tab")
        assert prompt(app).text == "/tag "
        prompt(app).clear()
        await pilot.press(*"/st", "enter")
        assert prompt(app).text == "/steer "
        await settle(pilot, lambda: "off" in offered(app))
        await pilot.press("down", "down", "enter")
        await settle(pilot, lambda: not app.assistant.profiles.state().enabled)
        assert prompt(app).text == ""
        assert offered(app) == []
        assert not texts(app)[4:]


async def test_escape_closes_the_list_and_not_the_reply(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await write(pilot, "hi")
        await settle(pilot, lambda: texts(app)[1:] == ["The "])
        await pilot.press(*"/n")
        await settle(pilot, lambda: bool(offered(app)))
        await pilot.press("escape")
        await settle(pilot, lambda: not offered(app))
        assert prompt(app).text == "/n"
        assert views(app)[-1].record.state is MessageState.STREAMING
        await pilot.press("e")
        await settle(pilot, lambda: "/new" in offered(app))
        await pilot.press("escape", "escape")
        await settle(pilot, complete(app))
        assert views(app)[-1].record.state is MessageState.STOPPED


async def test_a_click_takes_a_completion(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test() as pilot:
        await pilot.press(*"/po")
        await settle(pilot, lambda: offered(app) == ["/import [PATH]", "/export [PATH]"])
        await pilot.click(CompletionList, offset=(4, 1))
        await settle(pilot, lambda: prompt(app).text == "/export ")
        assert prompt(app).has_focus


async def test_an_unknown_command_says_so_and_keeps_the_text(settle) -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test(notifications=True) as pilot:
        await write(pilot, "/frobnicate [b]it[/b]")
        await settle(pilot, lambda: "no command /frobnicate" in told(app))
        assert prompt(app).text == "/frobnicate [b]it[/b]"
        assert not views(app)


@pytest.mark.parametrize("written", ["//new", " /new"])
async def test_a_slash_can_be_said_to_the_model(written: str, settle) -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test() as pilot:
        await write(pilot, written)
        await settle(pilot, complete(app))
        assert texts(app)[0] == "/new"


async def test_steering_is_switched_and_set(settle) -> None:
    assistant = with_profile()
    app = app_of(assistant)
    async with app.run_test(notifications=True) as pilot:
        await write(pilot, "/steer 0.8")
        await settle(pilot, lambda: "strength 0.8" in status(app))
        await write(pilot, "/steer off")
        await settle(pilot, lambda: "not steered: switched off" in status(app))
        await write(pilot, "/steer on")
        await settle(pilot, lambda: "strength 0.8" in status(app))
        await write(pilot, "/steer hard")
        await settle(pilot, lambda: "not “hard”" in told(app))
        assert assistant.profiles.state().strength == 0.8


@pytest.mark.parametrize("how", ["9", "on"])
async def test_without_a_profile_steering_leads_to_the_settings(settle, how) -> None:
    app = app_of(with_conversations())
    async with app.run_test(notifications=True) as pilot:
        await write(pilot, f"/steer {how}")
        await settle(pilot, lambda: "f2 › Rebuild" in told(app))
        assert "assistant rebuild" not in told(app)


async def test_the_last_reply_is_rated_regenerated_and_copied(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test(notifications=True) as pilot:
        await write(pilot, "/like")
        await settle(pilot, lambda: views(app)[-1].record.rating == 1)
        await write(pilot, "/copy")
        await settle(pilot, lambda: app.clipboard == views(app)[-1].record.text)
        await write(pilot, "/continue")
        await settle(pilot, lambda: "does not allow" in told(app))
        await write(pilot, "/regenerate")
        await settle(pilot, lambda: views(app)[-1].record.sibling_count == 2 and complete(app)())
        await write(pilot, "/new")
        await settle(pilot, lambda: not views(app))
        await write(pilot, "/dislike")
        await settle(pilot, lambda: "no reply yet" in told(app))
        await write(pilot, "/pin now")
        await settle(pilot, lambda: "/pin takes nothing" in told(app))
        await write(pilot, "/forget")
        await settle(pilot, lambda: "nothing is said here yet" in told(app))


async def test_a_command_is_obeyed_while_a_reply_is_written(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await write(pilot, "hi")
        await settle(pilot, lambda: texts(app)[1:] == ["The "])
        await write(pilot, "/stop")
        await settle(pilot, complete(app))
        assert views(app)[-1].record.state is MessageState.STOPPED
        assert len(texts(app)) == 2


async def test_the_conversation_is_named_tagged_searched_and_exported(settle, tmp_path: Path) -> None:
    assistant = with_conversations()
    written: list[Path] = []
    assistant.exporting = SimpleNamespace(write=lambda path, *_, **__: written.append(path))
    app = app_of(assistant)
    async with app.run_test(size=(140, 45), notifications=True) as pilot:
        await write(pilot, "/title Cold [b]brew[/b]")
        await settle(pilot, lambda: assistant.history.conversations()[0].title == "Cold [b]brew[/b]")
        await write(pilot, "/tag coffee, summer")
        await settle(pilot, lambda: assistant.history.conversations()[0].tags == ("coffee", "summer"))
        await write(pilot, f"/export {tmp_path / 'out.md'}")
        await settle(pilot, lambda: "out.md: written" in told(app))
        assert written == [tmp_path / "out.md"]
        await write(pilot, "/title")
        await settle(pilot, lambda: isinstance(app.screen, LineModal))
        await pilot.press("escape")
        await write(pilot, "/forget")
        await settle(pilot, lambda: isinstance(app.screen, ForgetModal))
        await pilot.press("escape")
        await write(pilot, "/search birthday")
        await settle(pilot, lambda: assistant.history.searched[-1:] == ["birthday"])


async def test_screens_are_opened(settle) -> None:
    assistant = with_profile()
    app = app_of(assistant, swapped=False)
    async with app.run_test(size=(140, 45)) as pilot:
        for command, kind in (("/help", HelpScreen), ("/settings", SettingsScreen), ("/import", ImportModal)):
            await write(pilot, command)
            await settle(pilot, lambda kind=kind: isinstance(app.screen, kind))
            await pilot.press("escape")
            await settle(pilot, lambda: len(app.screen_stack) == 2)
        await write(pilot, "/import chats.json")
        await settle(pilot, lambda: [path.name for path, _ in assistant.importing.asked] == ["chats.json"])
        assert app.screen.query_one("#import-path", Input).value == "chats.json"
        await pilot.press("escape", "escape")
        await settle(pilot, lambda: len(app.screen_stack) == 2)
        await write(pilot, "/compare Which is it?")
        await settle(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen._phase == "choosing")
        assert [message.text for message in assistant.chat.messages(4)][:1] == ["Which is it?"]
        await pilot.press("escape")
        await settle(pilot, lambda: len(app.screen_stack) == 2)
        await write(pilot, "/quit")
        await settle(pilot, lambda: app.return_value == 0)


async def test_another_model_answers(settle) -> None:
    assistant = with_conversations()
    assistant.models = Models()
    app = app_of(assistant)
    async with app.run_test(notifications=True) as pilot:
        await pilot.press(*"/model l")
        await settle(pilot, lambda: offered(app) == ["large.gguf", "small.gguf"])
        await pilot.press("tab", "enter")
        await settle(pilot, lambda: assistant.models.chosen == "large.gguf" and "large.gguf answers" in told(app))
        await write(pilot, "/model broken.gguf")
        await settle(pilot, lambda: "not a model" in told(app))


async def test_without_a_name_the_models_are_shown(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test() as pilot:
        await write(pilot, "/model")
        await settle(pilot, lambda: isinstance(app.screen, ModelsScreen))


async def test_models_that_cannot_be_listed_are_not_offered(settle, monkeypatch: pytest.MonkeyPatch) -> None:
    assistant = with_conversations()

    def unreadable() -> None:
        raise ModelError("models: cannot be read")

    monkeypatch.setattr(assistant.models, "list", unreadable)
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await pilot.press(*"/model s")
        await settle(pilot)
        assert prompt(app).text == "/model s"
        assert offered(app) == []


async def test_what_the_model_is_told_first(settle) -> None:
    assistant = with_conversations()
    app = app_of(assistant)
    async with app.run_test(notifications=True) as pilot:
        await write(pilot, "/system Be kind.\nBe short.")
        await settle(pilot, lambda: assistant.settings.model.system_prompt == "Be kind.\nBe short.")
        await write(pilot, "/system")
        await settle(pilot, lambda: isinstance(app.screen, TextModal))
        await pilot.press("end", *" Ok", "ctrl+s")
        await settle(pilot, lambda: assistant.settings.model.system_prompt == "Be kind.\nBe short. Ok")
        await write(pilot, "/system off")
        await settle(pilot, lambda: assistant.settings.model.system_prompt == "")
        await write(pilot, "/system Be kind.")
        await settle(pilot, lambda: assistant.settings.model.system_prompt == "Be kind.")
        await write(pilot, "/system")
        await settle(pilot, lambda: isinstance(app.screen, TextModal))
        await pilot.press("f7", "delete", "ctrl+s")
        await settle(pilot, lambda: assistant.settings.model.system_prompt == "")


async def test_a_deletion_is_taken_back_from_the_prompt(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test(notifications=True) as pilot:
        await write(pilot, "/undo")
        await settle(pilot, lambda: "nothing was deleted" in told(app))
        before = texts(app)
        await write(pilot, "/delete")
        await settle(pilot, lambda: "Deleted “Iced coffee”; /undo undoes it." in told(app))
        assert texts(app) == []
        await write(pilot, "/undo")
        await settle(pilot, lambda: texts(app) == before)


async def test_the_palette_has_the_commands_that_no_key_has(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test() as pilot:
        names = [one.title for one in app.get_system_commands(app.screen)]
        assert names == ["Theme", *(one.name.capitalize() for one in COMMANDS if not one.keyed)]
        await pilot.press("ctrl+p")
        await settle(pilot, lambda: isinstance(app.screen, CommandPalette))


async def test_what_goes_wrong_is_told(settle, monkeypatch: pytest.MonkeyPatch) -> None:
    assistant = with_profile()

    def full(*_: object) -> None:
        raise AssistantError("history.db: the disk is full")

    monkeypatch.setattr(assistant.profiles, "set_enabled", full)
    app = app_of(assistant)
    async with app.run_test(notifications=True) as pilot:
        await write(pilot, "/steer off")
        await settle(pilot, lambda: "the disk is full" in told(app))
        assert app.is_running
