"""The conversations at the side and the search over them by their keys; the last test has a real home under it."""

import pytest
from textual.widgets import Static

from assistant.app import Assistant
from assistant.errors import AssistantError
from tests.assistant.conftest import prepare_home
from tests.tui.reading import complete, texts, views, write
from tests.tui.samples import app_of, with_conversations
from tui.app import AssistantApp
from tui.widgets.conversations import DRAWN, ConversationList
from tui.widgets.hits import HitList
from tui.widgets.messages import MOST, WINDOW, MessageList
from tui.widgets.prompt import Prompt
from tui.widgets.search_line import SearchLine
from tui.widgets.sidebar import Sidebar

WIDE = (140, 45)


def lines(app) -> list[str]:
    listed = app.screen_stack[1].query_one(ConversationList)
    return [option.prompt.plain for option in listed.options]


def hits(app) -> list[str]:
    listed = app.screen_stack[1].query_one(HitList)
    return [option.prompt.plain for option in listed.options] if listed.display else []


def told(app) -> str:
    return " ".join(notification.message for notification in app._notifications)


async def enter_list(pilot) -> ConversationList:
    await pilot.press("ctrl+b", "ctrl+b")
    listed = pilot.app.screen.query_one(ConversationList)
    assert listed.has_focus
    return listed


async def search(pilot, settle, query: str) -> None:
    await pilot.press("ctrl+f", *query)
    await settle(pilot, lambda: pilot.app.screen.query_one(HitList).query_shown == query)


async def test_the_sidebar_opens_and_renames(settle) -> None:
    assistant = with_conversations()
    app = app_of(assistant)
    async with app.run_test(size=WIDE) as pilot:
        sidebar = app.screen.query_one(Sidebar)
        await pilot.press("ctrl+b")
        assert not sidebar.display
        await pilot.press("ctrl+b", "down", "enter")
        await settle(pilot, lambda: len(views(app)) == 2)
        assert isinstance(app.focused, Prompt)
        await enter_list(pilot)
        await pilot.press("r")
        await settle(pilot, lambda: app.screen is not sidebar.screen)
        await pilot.press(*"!", "enter")
        await settle(pilot, lambda: app.screen is sidebar.screen)
        assert "▸ A birthday letter!" in lines(app)
        assert "A birthday letter!" in [one.title for one in assistant.chat.conversations()]


async def test_pinned_ones_come_first_with_a_mark(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test(size=WIDE) as pilot:
        await enter_list(pilot)
        await pilot.press("j", "j", "p")
        await settle(pilot, lambda: lines(app)[0] == "  ★ Notes for the talk…")
        await pilot.press("p")
        await settle(pilot, lambda: lines(app)[2] == "  Notes for the talk on…")


async def test_archived_ones_leave_the_list_and_are_shown_on_a_key(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        listed = await enter_list(pilot)
        await pilot.press("down", "a")
        await settle(pilot, lambda: len(lines(app)) == 2)
        assert "“A birthday letter” archived" in told(app)
        await pilot.press("A")
        assert lines(app) == ["Archived · A: back", "  A birthday letter"]
        assert listed.highlighted == 1
        await pilot.press("a")
        await settle(pilot, lambda: lines(app) == ["Archived · A: back", "  none archived"])
        await pilot.press("A")
        assert len(lines(app)) == 3


async def test_a_long_list_is_drawn_to_a_limit_and_only_when_it_has_changed(settle, monkeypatch) -> None:
    assistant = with_conversations()
    for _ in range(DRAWN):
        assistant.chat.new_conversation()
    app = app_of(assistant)
    async with app.run_test(size=WIDE) as pilot:
        listed = await enter_list(pilot)
        assert lines(app)[-1] == "  3 older: / searches"
        drawn = []
        monkeypatch.setattr(listed, "set_options", drawn.append)
        listed.show(1)
        listed.show(1)
        assert len(drawn) <= 1
        listed.show(DRAWN + 3)
        listed.show(DRAWN + 3)
        assert len(drawn) <= 2


async def test_tags_are_given_and_taken_away(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test(size=WIDE) as pilot:
        await enter_list(pilot)
        await pilot.press("t", *"home, coffee", "enter")
        await settle(pilot, lambda: lines(app)[0] == "▸ Iced coffee\n  #home #coffee")
        await pilot.press("t", "ctrl+u", "enter")
        await settle(pilot, lambda: lines(app)[0] == "▸ Iced coffee")


async def test_deleting_asks_nothing_and_can_be_undone(settle) -> None:
    assistant = with_conversations()
    app = app_of(assistant)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        listed = await enter_list(pilot)
        await pilot.press("u")
        assert len(lines(app)) == 3
        await pilot.press("down", "d")
        await settle(pilot, lambda: len(lines(app)) == 2)
        assert "Deleted “A birthday letter”; u undoes it." in told(app)
        assert listed.highlighted == 1
        await pilot.press("up", "d")
        await settle(pilot, lambda: len(lines(app)) == 1)
        assert views(app) == []
        await pilot.press("u")
        await settle(pilot, lambda: len(views(app)) == 4)
        assert lines(app)[0] == "▸ Iced coffee"
        await pilot.press("u")
        await settle(pilot, lambda: len(lines(app)) == 3)
        assert len(views(app)) == 4
        assert not assistant.history.deleted()


async def test_deleting_stops_the_reply_that_streams_there(settle) -> None:
    assistant = with_conversations()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test(size=WIDE) as pilot:
        await write(pilot, "more")
        await settle(pilot, lambda: texts(app)[-1] == "The ")
        await enter_list(pilot)
        await pilot.press("d")
        await settle(pilot, lambda: len(lines(app)) == 2)
        assert assistant.chat.stopped


async def test_what_waits_in_a_deleted_conversation_is_not_sent_and_comes_back_with_it(settle) -> None:
    assistant = with_conversations()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test(size=WIDE) as pilot:
        await write(pilot, "more")
        await settle(pilot, lambda: texts(app)[-1] == "The ")
        await write(pilot, "and then")
        await pilot.press(*"half")
        shown = app.screen.shown
        await enter_list(pilot)
        await pilot.press("d")
        await settle(pilot, lambda: len(lines(app)) == 2)
        await settle(pilot, lambda: not app.screen.live.running)
        assert "and then" not in [message.text for message in assistant.chat.messages(shown)]
        await pilot.press("u")
        await settle(pilot, lambda: app.screen.shown == shown)
        assert app.screen.query_one(Prompt).text == "and then\n\nhalf"


@pytest.mark.parametrize("away", [("ctrl+n",), ("f2", "escape")])
async def test_a_search_that_covers_the_chat_gives_way_to_the_prompt(settle, away: tuple[str, ...]) -> None:
    app = app_of(with_conversations())
    async with app.run_test(size=(80, 24)) as pilot:
        await search(pilot, settle, "coffee")
        sidebar = app.screen.query_one(Sidebar)
        assert sidebar.display and sidebar.region.width == 80
        await pilot.press(*away)
        await settle(pilot, lambda: isinstance(app.focused, Prompt))
        await pilot.press(*"seen")
        assert app.screen.query_one(Prompt).text == "seen"
        assert not sidebar.display


async def test_a_search_beside_the_chat_gives_way_when_the_window_becomes_narrow(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test(size=WIDE) as pilot:
        await search(pilot, settle, "coffee")
        sidebar = app.screen.query_one(Sidebar)
        await pilot.resize_terminal(80, 24)
        assert sidebar.display, "one searches in it"
        await pilot.resize_terminal(*WIDE)
        app.screen.query_one(Prompt).focus()
        await pilot.pause()
        assert sidebar.display
        await pilot.resize_terminal(80, 24)
        await settle(pilot, lambda: not sidebar.display)


async def test_forking_goes_on_in_a_copy(settle) -> None:
    assistant = with_conversations()
    app = app_of(assistant)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("up", "k", "k", "f")
        await settle(pilot, lambda: len(views(app)) == 2)
        assert isinstance(app.focused, Prompt), "the next letters are no keys of the list"
        assert texts(app) == ["hi there", "Hello! What can I do for you?"]
        assert lines(app)[:2] == ["▸ Iced coffee", "  Iced coffee"]
        assert len(assistant.chat.messages(3)) == 4


async def test_searching_shows_what_is_found_as_one_types_and_escape_leads_back(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test(size=WIDE) as pilot:
        await search(pilot, settle, "coffee")
        assert [hit.split("\n")[0] for hit in hits(app)][:2] == ["title · 2026-03-14", "you · Iced coffee · 2026-03-14"]
        content = app.screen.query_one(HitList).get_option_at_index(1).prompt
        marked = [content.plain[span.start : span.end] for span in content.spans if "underline" in str(span.style)]
        assert marked == ["coffee"]
        await pilot.press("ctrl+b", "ctrl+b")
        assert isinstance(app.focused, SearchLine)
        await pilot.press("end", *"xx")
        await settle(pilot, lambda: hits(app) == ["Nothing found."])
        await pilot.press("enter")
        await pilot.press("escape")
        assert hits(app) == []
        assert app.screen.query_one(ConversationList).has_focus
        assert app.screen.query_one(SearchLine).value == ""
        await pilot.press("slash")
        assert isinstance(app.focused, SearchLine)


async def test_only_the_last_of_fast_keys_is_searched(settle) -> None:
    assistant = with_conversations()
    app = app_of(assistant)
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+f")
        line = app.screen.query_one(SearchLine)
        for query in ("c", "co", "cof", "coff"):
            line.value = query
        await settle(pilot, lambda: bool(hits(app)))
        assert assistant.history.searched == ["coff"]


async def test_enter_at_once_searches_what_is_written(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test(size=WIDE) as pilot:
        await pilot.press("ctrl+f")
        line = app.screen.query_one(SearchLine)
        line.value = "birthday"
        await line.action_submit()
        await settle(pilot, lambda: len(views(app)) == 2)
        assert "▸ A birthday letter" in lines(app)


async def test_a_search_that_fails_says_so_in_place(settle, monkeypatch) -> None:
    assistant = with_conversations()

    def fail(query: str) -> None:
        raise AssistantError("history.db: the disk [gave] up")

    monkeypatch.setattr(assistant.history, "search", fail)
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await search(pilot, settle, "x")
        assert hits(app) == ["✗ history.db: the disk [gave] up"]


async def test_a_found_message_opens_with_the_messages_around_it(settle) -> None:
    assistant = with_conversations()
    assistant.chat.say(2, *(f"message {number}." for number in range(200)))
    app = app_of(assistant)
    async with app.run_test(size=WIDE) as pilot:
        await search(pilot, settle, "message 77.")
        await pilot.press("enter")
        await settle(pilot, lambda: 2 * WINDOW <= len(views(app)) <= MOST)
        focused = app.focused
        assert focused.record.text == "message 77."
        messages = app.screen.query_one(MessageList)
        await settle(pilot, lambda: 0 <= focused.region.y - messages.region.y <= 2)
        await pilot.press(*["j"] * 30)
        assert app.focused.record.text == "message 107."
        await pilot.press(*["k"] * 60)
        await settle(pilot)
        assert app.focused.record.text == "message 47."
        await pilot.press("escape")
        await write(pilot, "at the end")
        await settle(pilot, lambda: texts(app)[-2] == "at the end" and complete(app)())
        assert texts(app)[-3] == "message 199."
        assert messages.scroll_y == messages.max_scroll_y


async def test_a_message_found_on_another_branch_brings_that_branch(settle) -> None:
    assistant = with_conversations()
    app = app_of(assistant)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("up", "r")
        await settle(pilot, lambda: texts(app)[-1].endswith("`42`.") and complete(app)())
        await search(pilot, settle, "twelve hours")
        await pilot.press("down", "up", "enter")
        await settle(pilot, lambda: "twelve hours" in texts(app)[-1])
        assert views(app)[-1].has_focus
        assert not app.screen.query_one(Sidebar).display


async def test_a_branch_that_a_reply_stands_on_stays(settle) -> None:
    assistant = with_conversations()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        await pilot.press("up", "r")
        await settle(pilot, lambda: texts(app)[-1] == "The ")
        await search(pilot, settle, "twelve hours")
        await pilot.press("enter")
        await settle(pilot, lambda: "on another branch" in told(app))
        assert texts(app)[-1] == "The "


async def test_titles_and_words_are_never_markup(settle) -> None:
    assistant = with_conversations()
    assistant.chat.rename(3, "[red]no[/red] \x1b[31m")
    assistant.chat.change_conversation(3, tags=("[b]",))
    app = app_of(assistant)
    async with app.run_test(size=WIDE, notifications=True) as pilot:
        assert lines(app)[0] == "▸ [red]no[/red] ␛[31m\n  #[b]"
        await search(pilot, settle, "[red]")
        assert hits(app)[0].endswith("[red]no[/red] ␛[31m")
        await pilot.press("escape", "d")
        await settle(pilot, lambda: "Deleted “[red]no[/red] ␛[31m”" in told(app))
        assert app.screen.query("Toast")


async def test_a_real_home_finds_a_message_on_a_hidden_branch(settle, tmp_path) -> None:
    from assistant.records import MessageState, Origin

    assistant = Assistant.open(prepare_home(tmp_path / "home", tmp_path / "none.gguf"))
    conversation = assistant.chat.new_conversation()
    add = assistant.store.messages.add
    state = {"state": MessageState.COMPLETE, "origin": Origin.TYPED}
    first = add(conversation.id, None, "user", "Which tomatoes love the sun?", **state)
    add(conversation.id, first.id, "assistant", "The red ones.", **state)
    add(conversation.id, first.id, "assistant", "None of them.", **state)
    app = AssistantApp(assistant)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot, lambda: texts(app) == ["Which tomatoes love the sun?", "None of them."])
        await search(pilot, settle, "red")
        assert hits(app)[0].endswith("\nThe red ones.")
        await pilot.press("enter")
        await settle(pilot, lambda: texts(app)[-1:] == ["The red ones."])
        assert views(app)[-1].has_focus
        await pilot.press("ctrl+f", "escape", "d")
        await settle(pilot, lambda: lines(app) == ["  none yet"])
        await pilot.press("u")
        await settle(pilot, lambda: lines(app) == ["▸ New chat"])
        assert app.screen.query_one("#welcome", Static).display is False
