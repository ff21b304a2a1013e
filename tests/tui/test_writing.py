"""Earlier prompts, drafts, messages that wait, another editor, and a paste of a megabyte."""

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from textual import events
from textual.widgets import TextArea

from assistant.app import Assistant
from assistant.errors import AssistantError
from assistant.records import MessageState, Origin
from storage.store import Store
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import complete, texts, views, write
from tests.tui.samples import app_of, with_conversations
from tui.app import AssistantApp
from tui.widgets.messages import MessageList
from tui.widgets.prompt import Prompt
from tui.widgets.text_modal import TextModal
from tui.widgets.waiting import WaitingMessages


def prompt(app) -> Prompt:
    return app.screen_stack[1].query_one(Prompt)


def waiting(app) -> str:
    shown = app.screen_stack[1].query_one(WaitingMessages)
    return shown.content.plain if shown.display else ""


def with_past(*sent: str) -> ScriptedAssistant:
    assistant = with_conversations()
    assistant.drafts.past = list(sent)
    return assistant


async def test_up_recalls_what_was_sent_and_down_comes_back(settle) -> None:
    app = app_of(with_past("first", "second\nof two lines"))
    async with app.run_test() as pilot:
        await pilot.press("up")
        assert prompt(app).text == "second\nof two lines"
        await pilot.press("up", "up")
        assert prompt(app).text == "first"
        await pilot.press("down")
        assert prompt(app).text == "second\nof two lines"
        await pilot.press("down")
        assert prompt(app).text == ""
        await pilot.press("up", "up", "x", "up", "down")
        assert prompt(app).text == "firstx"


async def test_what_is_typed_fast_around_a_new_chat_is_written_where_it_belongs(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test() as pilot:
        await settle(pilot)
        old = app._chat_screen.shown
        for key in ("a", "b", "ctrl+n", "c", "d"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await settle(pilot, lambda: app._chat_screen.shown != old and prompt(app).text == "cd")
        await app._chat_screen.open(old)
        await settle(pilot, lambda: prompt(app).text == "ab")


@pytest.mark.parametrize("where", ["in a conversation", "in a chat that is not begun"])
async def test_what_cannot_be_stored_is_written_there_again(settle, monkeypatch: pytest.MonkeyPatch, where) -> None:
    assistant = with_conversations()

    def full(*_: object, **__: object) -> None:
        raise AssistantError("history.db: the disk is full; free some space")

    for name in ("_said", "new_conversation"):
        monkeypatch.setattr(assistant.chat, name, full)
    app = app_of(assistant)
    async with app.run_test(notifications=True) as pilot:
        if where != "in a conversation":
            await pilot.press("ctrl+n")
        await write(pilot, "precious words")
        await settle(pilot, lambda: prompt(app).text == "precious words")
        assert any("disk is full" in one.message for one in app._notifications)
        monkeypatch.undo()
        await pilot.press("enter")
        await settle(pilot, lambda: "precious words" in texts(app))


async def test_an_edited_reply_that_cannot_be_stored_stays_open(settle, monkeypatch: pytest.MonkeyPatch) -> None:
    assistant = with_conversations()

    def full(*_: object) -> None:
        raise AssistantError("history.db: the disk is full; free some space")

    app = app_of(assistant)
    async with app.run_test(notifications=True) as pilot:
        monkeypatch.setattr(assistant.chat, "edit_reply", full)
        await pilot.press("shift+tab", "e")
        await settle(pilot, lambda: isinstance(app.screen, TextModal))
        first = app.screen
        await pilot.press("!", "ctrl+s")
        await settle(pilot, lambda: isinstance(app.screen, TextModal) and app.screen is not first)
        assert "!" in app.screen.query_one(TextArea).text
        monkeypatch.undo()
        await pilot.press("ctrl+s")
        await settle(pilot, lambda: not isinstance(app.screen, TextModal))
        assert any("!" in text for text in texts(app))


async def test_a_recalled_command_is_sent_again_and_offers_nothing(settle) -> None:
    app = app_of(with_past("first"))
    async with app.run_test() as pilot:
        await write(pilot, "/dislike")
        await settle(pilot, lambda: views(app)[-1].record.rating == -1)
        await pilot.press("up")
        assert prompt(app).text == "/dislike"
        await pilot.press("up")
        assert prompt(app).text == "first"


async def test_shift_tab_leads_to_the_last_message_and_so_does_up_where_nothing_was_sent(settle) -> None:
    app = app_of(with_past("first"))
    async with app.run_test() as pilot:
        await pilot.press("shift+tab")
        await settle(pilot, lambda: views(app)[-1].has_focus)
        await pilot.press("escape")
        app.assistant.drafts.past = []
        await pilot.press("up")
        await settle(pilot, lambda: views(app)[-1].has_focus)


async def test_a_draft_stays_with_its_conversation(settle) -> None:
    assistant = with_conversations()
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.press(*"half")
        await pilot.press("ctrl+n")
        await settle(pilot, lambda: not views(app))
        assert prompt(app).text == ""
        await pilot.press(*"new")
        await pilot.press("ctrl+b")
        if prompt(app).has_focus:
            await pilot.press("ctrl+b")
        await pilot.press("home", "enter")
        await settle(pilot, lambda: prompt(app).text == "half")
        await pilot.press("ctrl+n")
        await settle(pilot, lambda: prompt(app).text == "new")
        await pilot.press("enter")
        await settle(pilot, complete(app))
        assert assistant.drafts.kept[None] == ""
        assert texts(app)[0] == "new"


async def test_a_draft_comes_back_from_a_real_home_after_the_program_was_killed(settle, tmp_path: Path) -> None:
    home = tmp_path / "home"
    app = AssistantApp(Assistant.open(home, model=str(tmp_path / "none.gguf")))
    async with app.run_test() as pilot:
        await pilot.press(*"/system half a thought")
        with Store(tmp_path / "home" / "data" / "history.db") as other:  # as after a kill: nothing is closed
            await settle(pilot, lambda: other.drafts.get(None) == "/system half a thought")
    app = AssistantApp(Assistant.open(home, model=str(tmp_path / "none.gguf")))
    async with app.run_test() as pilot:
        await settle(pilot, lambda: prompt(app).text == "/system half a thought")


async def test_what_waits_is_shown_taken_back_and_kept_as_a_draft(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await write(pilot, "one")
        await settle(pilot, lambda: texts(app)[1:] == ["The "])
        await write(pilot, "two [b]bold[/b]")
        await write(pilot, "three")
        await settle(pilot, lambda: "❯ three" in waiting(app))
        assert "❯ two [b]bold[/b]" in waiting(app)
        assert assistant.drafts.kept[1] == "two [b]bold[/b]\n\nthree"
        await pilot.press("ctrl+n")
        await settle(pilot, lambda: waiting(app) == "")
        await pilot.press("ctrl+b")
        if prompt(app).has_focus:
            await pilot.press("ctrl+b")
        await pilot.press("home", "enter")
        await settle(pilot, lambda: "❯ three" in waiting(app))
        await pilot.press("up")
        assert prompt(app).text == "three"
        assert "three" not in waiting(app)
        assistant.chat.go.set()
        await settle(pilot, lambda: len(texts(app)) == 4 and complete(app)())
        assert texts(app)[2] == "two [b]bold[/b]"
        assert prompt(app).text == "three"
        assert assistant.drafts.kept[1] == "three"


async def test_the_text_is_written_in_another_editor(settle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "editor.py"
    script.write_text(
        "import pathlib, sys\npath = pathlib.Path(sys.argv[1])\npath.write_text(path.read_text() + '\\n\\x1b[2Jmore')\n"
    )
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")
    assistant = ScriptedAssistant()
    assistant.paths = type(assistant.paths)(tmp_path, tmp_path, tmp_path / "cache")
    app = app_of(assistant)
    monkeypatch.setattr(app, "suspend", nullcontext)
    async with app.run_test() as pilot:
        await pilot.press(*"some", "ctrl+g")
        await settle(pilot, lambda: prompt(app).text == "some\n␛[2Jmore")
        assert prompt(app).has_focus
        await pilot.press("ctrl+z")
        assert prompt(app).text == "some"


@pytest.mark.parametrize("editor", ["", "no-such-editor", "false"])
async def test_no_editor_or_a_failing_one_is_told_and_the_text_stays(
    editor: str, settle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor)
    assistant = ScriptedAssistant()
    assistant.paths = type(assistant.paths)(tmp_path, tmp_path, tmp_path / "cache")
    app = app_of(assistant)
    monkeypatch.setattr(app, "suspend", nullcontext)
    async with app.run_test(notifications=True) as pilot:
        await pilot.press(*"some", "ctrl+g")
        await settle(pilot, lambda: bool(app._notifications))
        assert prompt(app).text == "some"


async def test_a_megabyte_is_pasted_whole(settle) -> None:
    pasted = "".join(f"line {number} with some wörds and 日本語\n" for number in range(26_000))
    assert len(pasted.encode()) > 1_000_000
    app = app_of(ScriptedAssistant())
    async with app.run_test() as pilot:
        prompt(app).post_message(events.Paste(pasted))
        await settle(pilot, lambda: prompt(app).text == pasted)
        await pilot.press("x", "enter")
        await settle(pilot, complete(app))
        assert texts(app)[0] == (pasted + "x")


async def test_forgotten_prompts_are_not_recalled(settle, tmp_path: Path) -> None:
    assistant = Assistant.open(tmp_path / "home", model=str(tmp_path / "none.gguf"))
    talk = assistant.chat.new_conversation()
    message = assistant.store.messages.add(
        talk.id, None, "user", "a secret", state=MessageState.COMPLETE, origin=Origin.TYPED
    )
    app = AssistantApp(assistant)
    async with app.run_test() as pilot:
        await pilot.press("up")
        assert prompt(app).text == "a secret"
        await pilot.press("down")
        assistant.forgetting.forget(assistant.forgetting.messages([message.id]))
        await pilot.press("up")
        assert prompt(app).text == ""
        assert app.screen.query_one(MessageList)
