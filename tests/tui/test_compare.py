"""Side by side by its keys; the last test has a real home under it."""

import pytest
from textual.widgets import Static

from assistant.app import Assistant
from assistant.profile.steering import NO_VERSION, SteeringStatus
from tests.assistant.conftest import prepare_home, query
from tests.tiny_models import write_tiny_model, write_vector
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import texts, until, write
from tests.tui.samples import app_of, with_profile
from tui.app import AssistantApp
from tui.screens.chat import ChatScreen
from tui.screens.compare import CompareScreen
from tui.widgets.prompt import Prompt
from tui.widgets.reply_pane import ReplyPane

STEERED, PLAIN = "The **answer** is `42`.", "It is 42, I believe."


def said(app) -> str:
    return app.screen.query_one("#compare-state", Static).content.plain


def panes(app) -> list[ReplyPane]:
    return list(app.screen.query(ReplyPane))


def replies(app) -> list[str]:
    return [pane.reply.record.text if pane.reply else "" for pane in panes(app)]


def heads(app) -> list[str]:
    return [pane.query_one(".pane-head", Static).content.plain for pane in panes(app)]


def footers(app) -> list[str]:
    return [pane.reply.query_one(".footer", Static).content.plain for pane in panes(app) if pane.reply]


def asks_which(app):
    return lambda: "Which one is better?" in said(app)


async def compare(pilot, text: str = "Why?") -> None:
    await pilot.press("f3")
    await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen) and pilot.app.screen.query(Prompt))
    await write(pilot, text)


async def test_both_stream_blind_and_the_choice_reveals_rates_and_shows_the_better_one(settle) -> None:
    for swapped in (False, True):
        assistant = with_profile()
        app = app_of(assistant, swapped)
        async with app.run_test(size=(140, 45)) as pilot:
            await compare(pilot)
            await settle(pilot, asks_which(app))
            assert replies(app) == ([PLAIN, STEERED] if swapped else [STEERED, PLAIN])
            assert heads(app) == ["A", "B"]
            assert not any("steered" in footer for footer in footers(app))
            await pilot.press("2")
            assert heads(app)[1].startswith("✓ B · better")
            assert ("steered v3 × 1.0" in heads(app)[1]) is swapped
            assert "as the model is" in heads(app)[0 if swapped else 1]
            assert isinstance(app.focused, Prompt)
            conversation = assistant.chat.conversations()[0]
            shown = assistant.chat.messages(conversation.id)
            assert conversation.title == "Why?"
            assert [(one.text, one.rating) for one in shown[1:]] == [(STEERED if swapped else PLAIN, 1)]


async def test_the_panes_stand_beside_each_other_or_one_above_the_other(settle) -> None:
    for width, beside in ((140, True), (100, True), (99, False), (80, False)):
        app = app_of(with_profile())
        async with app.run_test(size=(width, 24)) as pilot:
            await compare(pilot)
            await settle(pilot, asks_which(app))
            first, second = (pane.region for pane in panes(app))
            assert (first.y == second.y) is beside
            assert (first.x == second.x) is not beside
            assert min(first.height, second.height) >= 5


async def test_neither_stores_nothing_and_the_next_prompt_goes_on(settle) -> None:
    assistant = with_profile()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await compare(pilot, "one")
        await settle(pilot, asks_which(app))
        await pilot.press("0")
        assert "Neither" in said(app)
        assert "as the model is" in heads(app)[1]
        await write(pilot, "two")
        await settle(pilot, asks_which(app))
        assert heads(app) == ["A", "B"]
        shown = assistant.chat.messages(assistant.chat.conversations()[0].id)
        assert [one.text for one in shown] == ["one", STEERED, "two", STEERED]
        assert not any(one.rating for one in shown)


async def test_labels_can_be_shown_at_once_and_stay_so(settle) -> None:
    assistant = with_profile()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await compare(pilot)
        await settle(pilot, lambda: replies(app) == ["The ", "It is "])
        await pilot.press("1")
        assert heads(app) == ["A", "B"]
        await pilot.press("b")
        assert heads(app) == ["A · ◆ steered v3 × 1.0", "B · ◇ as the model is"]
        assert "steered v3" in footers(app)[0]
        await pilot.press("b")
        assert heads(app) == ["A", "B"]
        await pilot.press("b")
        assistant.chat.go.set()
        await settle(pilot, asks_which(app))
        await pilot.press("tab", "tab")
        await write(pilot, "two")
        await settle(pilot, lambda: asks_which(app)() and len(footers(app)) == 2)
        assert heads(app) == ["A · ◆ steered v3 × 1.0", "B · ◇ as the model is"]


async def test_escape_stops_the_pair_which_can_still_be_judged_and_then_leaves(settle) -> None:
    assistant = with_profile()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    for key in ("escape", "ctrl+c"):
        assistant.chat.go.clear()
        async with app_of(assistant).run_test() as pilot:
            app = pilot.app
            await compare(pilot)
            await settle(pilot, lambda app=app: replies(app) == ["The ", "It is "])
            await pilot.press(key)
            await settle(pilot, asks_which(app))
            assert footers(app) == ["■ stopped", "■ stopped"]
            await pilot.press("1")
            assert "✓ A" in said(app)
            await pilot.press("escape")
            await settle(pilot, lambda app=app: isinstance(app.screen, ChatScreen))
            conversations = app.screen.query_one("#conversations")
            assert "Why?" in conversations.get_option_at_index(0).prompt.plain


async def test_a_pair_that_waits_for_the_model_does_not_begin_after_escape(settle) -> None:
    assistant = with_profile()
    assistant.chat.load_gate.clear()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await compare(pilot)
        await settle(pilot, lambda: "loading the model" in said(app))
        await pilot.press("escape")
        await settle(pilot, lambda: "stopped" in said(app))
        assert replies(app) == ["", ""]
        assert isinstance(app.focused, Prompt)


async def test_where_nothing_steers_it_says_why_and_what_to_do(settle) -> None:
    assistant = ScriptedAssistant()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await pilot.press("f3")
        intro = app.screen.query_one("#compare-intro", Static)
        assert "Nothing steers now (no profile yet)" in intro.content.plain
        assert "f2 › Rebuild" in intro.content.plain
        assert "switches steering on" not in intro.content.plain, "without a version the page has no switch"
        await write(pilot, "Why?")
        assert "Nothing steers now" in said(app)
        assert app.screen.query_one(Prompt).text == "Why?"
        assert assistant.chat.conversations() == []


@pytest.mark.parametrize(
    ("status", "words", "not_there"),
    [
        (SteeringStatus(False, None, 0.0, NO_VERSION), "f2 › Versions puts one to use", "switches steering on"),
        (SteeringStatus(False, 2, 1.0, "switched off"), "f2 › What I think you like switches steering on", "f4"),
        (SteeringStatus(False, None, 0.0, "odd models ignore control vectors"), "f4 lets another model answer", "f2"),
    ],
)
async def test_what_to_do_is_there(settle, monkeypatch, status, words, not_there) -> None:
    assistant = ScriptedAssistant()
    monkeypatch.setattr(assistant.chat, "steering", lambda: status)
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await pilot.press("f3")
        intro = app.screen.query_one("#compare-intro", Static)
        await settle(pilot, lambda: words in intro.content.plain)
        assert not_there not in intro.content.plain


async def test_what_was_written_and_not_asked_is_there_again(settle) -> None:
    app = app_of(with_profile())
    async with app.run_test() as pilot:
        await pilot.press("f3", *"half a", "escape")
        await settle(pilot, lambda: not isinstance(app.screen, CompareScreen))
        await pilot.press("f3")
        await settle(pilot, lambda: isinstance(app.screen, CompareScreen))
        assert app.screen.query_one(Prompt).text == "half a"


async def test_an_error_is_said_in_place_and_the_next_prompt_works(settle) -> None:
    assistant = with_profile()
    assistant.chat.fail_at = 1
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await compare(pilot)
        await settle(pilot, lambda: "✗ engine: it ended" in said(app))
        assert replies(app) == ["The ", "It is "]
        assert footers(app) == ["✗ failed", "✗ failed"]
        await pilot.press("1")
        assert app.screen.query_one(Prompt).text == "1"
        assistant.chat.fail_at = None
        await pilot.press("backspace")
        await write(pilot, "again")
        await settle(pilot, asks_which(app))


async def test_while_a_reply_streams_in_the_chat_or_here_the_text_is_kept(settle) -> None:
    assistant = with_profile()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await write(pilot, "hi")
        await settle(pilot, lambda: texts(app)[-1] == "The ")
        await compare(pilot)
        assert app.screen.query_one(Prompt).text == "Why?"
        assert any("reply is being written in the chat" in one.message for one in app._notifications)
        assistant.chat.go.set()
        await settle(pilot, lambda: texts(app)[-1] == STEERED)
        assistant.chat.go.clear()
        await pilot.press("enter")
        await settle(pilot, lambda: replies(app) == ["The ", "It is "])
        await write(pilot, "more")
        assert app.screen.query_one(Prompt).text == "more"
        assistant.chat.go.set()
        await settle(pilot, asks_which(app))


async def test_a_new_comparison_begins_a_conversation_of_its_own(settle) -> None:
    assistant = with_profile()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await compare(pilot, "one")
        await settle(pilot, asks_which(app))
        await pilot.press("1", "ctrl+n")
        assert app.screen.query_one("#compare-intro").display
        await write(pilot, "two")
        await settle(pilot, asks_which(app))
        assert [one.title for one in assistant.chat.conversations()][:2] == ["two", "one"]


async def test_the_program_can_end_while_both_stream(settle) -> None:
    assistant = with_profile()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await compare(pilot)
        await settle(pilot, lambda: replies(app) == ["The ", "It is "])
        await pilot.press("ctrl+q")
    assert app.return_code == 0


async def test_a_real_engine_streams_both_and_the_choice_is_kept(settle, tmp_path) -> None:
    import numpy as np

    home = prepare_home(tmp_path / "home", write_tiny_model(tmp_path / "tiny.gguf"), length=6)
    write_vector(tmp_path / "calm.gguf", {1: np.ones(64, np.float32)})
    assistant = Assistant.open(home)
    assistant.vectors.add(tmp_path / "calm.gguf")
    app = AssistantApp(assistant, coin=lambda: True)
    async with app.run_test() as pilot:
        await compare(pilot)
        await until(pilot, asks_which(app))
        await pilot.press("1")
        assert isinstance(app.screen, CompareScreen)
        assert "the model as it is" in said(app)
    rated = query(home, "SELECT vectors, rating FROM messages JOIN ratings ON message_id = messages.id")
    assert rated == [("[]", 1)]
    assert query(home, "SELECT count(*) FROM messages WHERE role = 'assistant'") == [(2,)]
