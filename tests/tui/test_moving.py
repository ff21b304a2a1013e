"""Bringing in, taking out and forgetting by their keys; some with a real home under them."""

import json

from textual.command import CommandPalette
from textual.widgets import Button, DataTable, Input, Static

from assistant.app import Assistant
from assistant.records import MessageState, Origin
from tests.assistant.conftest import prepare_home, query
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import texts, write
from tests.tui.samples import app_of, with_conversations, with_items
from tests.tui.test_settings import open_page
from tests.tui.test_sidebar import enter_list, lines, told
from tui.app import AssistantApp
from tui.path_suggester import PathSuggester
from tui.screens.chat import ChatScreen
from tui.screens.settings import SettingsScreen
from tui.widgets.confirm import ConfirmModal
from tui.widgets.export_modal import ExportModal
from tui.widgets.forget_modal import ForgetModal
from tui.widgets.import_modal import ImportModal

WIDE = (140, 45)


def said(app) -> str:
    return app.screen.query_one("#import-text", Static).content.plain


async def open_import(pilot, settle) -> None:
    await open_page(pilot, "1")
    await pilot.press("i")
    await settle(pilot, lambda: isinstance(pilot.app.screen, ImportModal))


async def command(pilot, settle, name: str, modal: type) -> None:
    await pilot.press("ctrl+p")
    await settle(pilot, lambda: isinstance(pilot.app.screen, CommandPalette))
    await pilot.press(*name)
    await pilot.app.workers.wait_for_complete()
    await settle(pilot)
    await pilot.press("enter")
    await settle(pilot, lambda: isinstance(pilot.app.screen, modal))


async def test_a_file_is_looked_at_and_added_only_on_y(settle) -> None:
    assistant = with_items()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await open_import(pilot, settle)
        await pilot.press(*"chats.json", "enter")
        await settle(pilot, lambda: "2 conversations, 1,204 messages, 602 of them yours" in said(app))
        assert "Left out: 3 pictures" in said(app)
        assert "Left out: 12 messages [of] tools" in said(app)
        assert assistant.importing.added == 0
        await pilot.press("escape")
        assert not app.screen.query_one("#import-path", Input).disabled
        await pilot.press("enter")
        await settle(pilot, lambda: "Left out" in said(app))
        await pilot.press("y")
        await settle(pilot, lambda: said(app) == "✓ 2 conversations, 1,204 messages imported (4 known already).")
        assert assistant.importing.added == 1
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, SettingsScreen))


async def test_a_file_that_cannot_be_read_is_said_in_place_and_the_path_stays(settle) -> None:
    app = app_of(with_items())
    async with app.run_test() as pilot:
        await open_import(pilot, settle)
        await pilot.press(*"broken.json", "enter")
        await settle(pilot, lambda: "✗ broken.json: not JSON" in said(app))
        assert app.screen.query_one("#import-path", Input).value == "broken.json"
        assert app.screen.query_one("#import-path", Input).has_focus
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, SettingsScreen))


async def test_looking_and_adding_say_how_far_they_are_and_can_be_cancelled(settle) -> None:
    assistant = with_items()
    assistant.importing.go.clear()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await open_import(pilot, settle)
        await pilot.press(*"chats.json", "enter")
        await settle(pilot, lambda: "looking at it" in said(app))
        app.screen._tick()
        assert "600 messages and texts" in said(app)
        await pilot.press("escape")
        assert app.screen.query_one("#import-path", Input).has_focus
        assistant.importing.go.set()
        await pilot.press("enter")
        await settle(pilot, lambda: "Left out" in said(app))
        assistant.importing.go.clear()
        await pilot.press("y")
        await settle(pilot, lambda: "importing" in said(app) or "added" in said(app))
        app.screen._tick()
        assert "602/1,204 added" in said(app)
        await pilot.press("escape")
        assert "what was added stays" in said(app)
        assert assistant.importing.added == 0


async def test_whose_mails_they_are_can_be_said(settle) -> None:
    from dataclasses import replace

    assistant = with_items()
    found = assistant.importing.found
    mails = replace(found, conversations=0, messages=0, own_messages=0, texts=40, skipped={})
    assistant.importing.found = replace(mails, me=("bo@example.org",), senders=3, guessed=True)
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await open_import(pilot, settle)
        await pilot.press(*"all.mbox", "enter")
        await settle(pilot, lambda: "bo@example.org, the most frequent of 3 senders" in said(app))
        me = app.screen.query_one("#import-me", Input)
        me.focus()
        me.value = "ada@example.org"
        await pilot.press("enter")
        await settle(pilot, lambda: "mails from ada@example.org" in said(app))
        assert assistant.importing.asked[-1][1] == ("ada@example.org",)
        me.value = "eve@example.org"
        await pilot.press("y") if not me.has_focus else await pilot.press("tab", "enter")
        await settle(pilot, lambda: "mails from eve@example.org" in said(app))
        assert assistant.importing.added == 0, "what is imported is what was shown"
        await pilot.press("y")
        await settle(pilot, lambda: assistant.importing.added == 1)


async def test_the_palette_imports_into_a_real_home_and_the_lists_show_it(settle, tmp_path) -> None:
    file = tmp_path / "chat.jsonl"
    turns = [{"role": "user", "content": "Which rivers are long?"}, {"role": "assistant", "content": "The Nile."}]
    file.write_text(json.dumps({"messages": turns}) + "\n", encoding="utf-8")
    app = AssistantApp(Assistant.open(prepare_home(tmp_path / "home", tmp_path / "none.gguf")))
    async with app.run_test(size=WIDE) as pilot:
        await command(pilot, settle, "Import", ImportModal)
        app.screen.query_one("#import-path", Input).value = str(file)
        await pilot.press("enter")
        await settle(pilot, lambda: "1 conversation, 2 messages, 1 of them yours" in said(app))
        await pilot.press("y")
        await settle(pilot, lambda: "✓ 1 conversation, 2 messages imported." in said(app))
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, ChatScreen))
        await settle(pilot, lambda: "rivers" in lines(app)[0])
        await pilot.press("f2")
        await settle(pilot, lambda: isinstance(app.screen, SettingsScreen))
        assert app.screen.query_one("#items", DataTable).row_count == 1


async def test_the_shown_conversation_is_exported_and_nothing_replaced_unasked(settle, tmp_path) -> None:
    assistant = real_home(tmp_path)
    app = AssistantApp(assistant)
    target = tmp_path / "out.md"
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await settle(pilot, lambda: len(texts(app)) == 2)
        await command(pilot, settle, "Export", ExportModal)
        path = app.screen.query_one("#export-path", Input)
        path.value = str(tmp_path / "out.txt")
        await pilot.press("enter")
        await settle(pilot, lambda: "has to end in" in app.screen.query_one("#export-trouble", Static).content.plain)
        path.value = str(tmp_path / "no" / "out.md")
        await pilot.press("enter")
        await settle(pilot, lambda: "✗" in app.screen.query_one("#export-trouble", Static).content.plain)
        path.value = str(target)
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert "the sun" in target.read_text(encoding="utf-8")
        assert "written" in told(app)
        target.write_text("mine")
        await enter_list(pilot)
        await pilot.press("x")
        await settle(pilot, lambda: isinstance(app.screen, ExportModal))
        app.screen.query_one("#export-path", Input).value = str(target)
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("escape")
        assert target.read_text() == "mine"
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("y")
        await settle(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert "the sun" in target.read_text(encoding="utf-8")


def real_home(tmp_path) -> Assistant:
    """A home with one conversation of two messages."""
    assistant = Assistant.open(prepare_home(tmp_path / "home", tmp_path / "none.gguf"))
    conversation = assistant.chat.new_conversation()
    state = {"state": MessageState.COMPLETE, "origin": Origin.TYPED}
    said = assistant.store.messages.add(conversation.id, None, "user", "Which tomatoes love the sun?", **state)
    assistant.store.messages.add(conversation.id, said.id, "assistant", "The red ones.", **state)
    return assistant


async def test_forgetting_says_what_goes_and_keeps_it_unless_told(settle) -> None:
    assistant = with_conversations()
    assistant.forgetting.versions = (2, 3)
    app = app_of(assistant)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await enter_list(pilot)
        await pilot.press("F")
        await settle(pilot, lambda: isinstance(app.screen, ForgetModal))
        question = app.screen.query_one(".question", Static).content.plain
        for words in ("1 conversation, 4 messages", "2 profile versions", "version 3 is in use", "2 automatic backups"):
            assert words in question
        assert app.screen.query_one("#keep", Button).has_focus
        await pilot.press("enter")
        await settle(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert len(lines(app)) == 3
        await pilot.press("F")
        await settle(pilot, lambda: isinstance(app.screen, ForgetModal))
        await pilot.press("v")
        assert "removed too" in app.screen.query_one("#fate", Button).label.plain
        await pilot.press("y")
        await settle(pilot, lambda: len(lines(app)) == 2)
        assert assistant.forgetting.removed_versions
        assert "Forgotten: 1 conversation, 4 messages." in told(app)
        assert "Version 3 was in use: steering is off" in told(app)
        assert texts(app) == []


async def test_a_reply_that_streams_is_stopped_only_once_it_is_to_be_forgotten(settle) -> None:
    assistant = with_conversations()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test(size=WIDE) as pilot:
        await write(pilot, "more")
        await settle(pilot, lambda: texts(app)[-1] == "The ")
        await enter_list(pilot)
        for answer, stopped in (("escape", False), ("y", True)):
            await pilot.press("F")
            await settle(pilot, lambda: isinstance(app.screen, ForgetModal))
            await pilot.press(answer)
            await settle(pilot, lambda: isinstance(app.screen, ChatScreen))
            await settle(pilot, lambda stopped=stopped: len(lines(app)) == (2 if stopped else 3))
            assert assistant.chat.stopped is stopped


async def test_a_message_and_then_the_conversation_leave_a_real_home(settle, tmp_path) -> None:
    app = AssistantApp(real_home(tmp_path))
    home = tmp_path / "home"
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot, lambda: len(texts(app)) == 2)
        await pilot.press("shift+tab", "F")
        await settle(pilot, lambda: isinstance(app.screen, ForgetModal))
        assert not app.screen.query("#fate")
        await pilot.press("y")
        await settle(pilot, lambda: texts(app) == ["Which tomatoes love the sun?"])
        assert query(home, "SELECT count(*) FROM messages") == [(1,)]
        await command(pilot, settle, "Forget", ForgetModal)
        await pilot.press("y")
        await settle(pilot, lambda: lines(app) == ["  none yet"])
        assert query(home, "SELECT count(*) FROM messages") == [(0,)]


async def test_nothing_is_exported_or_forgotten_in_a_chat_that_is_not_begun(settle) -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test():
        names = [one.title for one in app.get_system_commands(app.screen)]
        assert {"Theme", "Import"} <= {*names}
        assert not {"Export", "Forget", "Delete"} & {*names}


async def test_paths_are_completed(tmp_path, monkeypatch) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.md").touch()
    (tmp_path / "folder" / ".hidden").touch()
    (tmp_path / "folder" / "evil\x1b.md").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    offer = PathSuggester().get_suggestion
    assert await offer(f"{tmp_path}/fo") == f"{tmp_path}/folder/"
    assert await offer("~/folder/") == "~/folder/notes.md"
    assert await offer("~/folder/.h") == "~/folder/.hidden"
    assert await offer("~/folder/evil") is None
    assert await offer("~/nowhere/x") is None
    assert await offer("") is None
