"""The chat by its keys."""

import pytest
from textual.widgets import TextArea

from assistant.records import MessageState, Origin
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import complete, footer, status, texts, views, write
from tests.tui.samples import app_of, with_conversations, with_profile
from tui.widgets.confirm import ConfirmModal
from tui.widgets.conversations import ConversationList
from tui.widgets.messages import MOST, WINDOW, MessageList
from tui.widgets.prompt import Prompt
from tui.widgets.text_modal import TextModal


async def test_enter_sends_and_the_reply_streams_to_its_end(settle) -> None:
    assistant = ScriptedAssistant()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await pilot.press(*"hi", "enter")
        await settle(pilot, complete(app))
        assert texts(app) == ["hi", "The **answer** is `42`."]
        assert "42 tokens · 22 tokens/s · first after 0.1 s · context 62 of 4,096" in footer(views(app)[-1])
        assert app.screen.query_one(Prompt).text == ""
        assert "ready" in status(app)


@pytest.mark.parametrize("key", ["ctrl+j", "shift+enter"])
async def test_a_new_line_is_not_sent(key: str, settle) -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test() as pilot:
        await pilot.press("a", key, "b")
        prompt = app.screen.query_one(Prompt)
        assert prompt.text == "a\nb"
        assert prompt.size.height == 2
        await pilot.press("enter")
        await settle(pilot, complete(app))
        assert texts(app)[0] == "a\nb"


async def test_the_prompt_stops_growing_and_blanks_are_not_sent() -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test(size=(80, 24)) as pilot:
        await write(pilot, "  \n ")
        prompt = app.screen.query_one(Prompt)
        assert not views(app)
        prompt.insert("line\n" * 60)
        await pilot.pause()
        assert prompt.outer_size.height == 10


@pytest.mark.parametrize("key", ["escape", "ctrl+c"])
async def test_a_stopped_reply_keeps_what_came_and_can_go_on(key: str, settle) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.hold_at = 2
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await write(pilot, "hi")
        await settle(pilot, lambda: texts(app)[1:] == ["The **answer** "])
        assert "esc stops" in status(app)
        await pilot.press(key)
        await settle(pilot, complete(app))
        assert app.is_running
        assert texts(app)[1] == "The **answer** "
        assert "stopped" in footer(views(app)[-1])
        assistant.chat.hold_at = None
        await pilot.press("up", "c")
        await settle(pilot, lambda: views(app)[-1].record.state is MessageState.COMPLETE)
        assert texts(app)[1] == "The **answer** The **answer** is `42`."


async def test_a_message_sent_while_the_model_loads_is_kept_and_answered_afterwards(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.load_gate.clear()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await write(pilot, "hi")
        await settle(pilot, lambda: texts(app) == ["hi"])
        assert "loading" in status(app)
        assistant.chat.load_gate.set()
        await settle(pilot, lambda: len(views(app)) == 2 and complete(app)())
        assert "SmolLM2" in status(app)


async def test_a_message_sent_while_a_reply_runs_waits_its_turn(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await write(pilot, "one")
        await settle(pilot, lambda: texts(app)[1:] == ["The "])
        await write(pilot, "two")
        await settle(pilot, lambda: bool(app.screen.query(".notice.-queued")))
        assert len(texts(app)) == 2
        assistant.chat.go.set()
        await settle(pilot, lambda: len(views(app)) == 4 and complete(app)())
        assert texts(app)[2] == "two"
        assert not app.screen.query(".notice.-queued")


async def test_rating_shows_and_the_same_key_takes_it_back(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test() as pilot:
        await pilot.press("up", "plus")
        reply = views(app)[-1]
        assert reply.record.rating == 1
        assert "liked" in footer(reply)
        await pilot.press("minus")
        assert "disliked" in footer(reply)
        await pilot.press("minus")
        assert reply.record.rating == 0
        assert "liked" not in footer(reply)


async def test_a_rating_given_while_a_reply_ends_stays_on_the_screen(settle) -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test() as pilot:
        await write(pilot, "one")
        await settle(pilot, complete(app))
        view = views(app)[-1]
        before = view.record
        await pilot.press("up", "plus")
        await settle(pilot, lambda: view.record.rating == 1)
        await view.finish(before)  # read before it was rated
        assert view.record.rating == 1


async def test_regenerating_makes_a_branch_and_brackets_move_between_them(settle) -> None:
    assistant = with_conversations()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        before = texts(app)
        await pilot.press("up", "r")
        await settle(pilot, lambda: texts(app)[-1].endswith("`42`.") and complete(app)())
        assert len(texts(app)) == len(before)
        assert "‹ 2/2 ›" in footer(views(app)[-1])
        await pilot.press("left_square_bracket")
        await settle(pilot, lambda: texts(app) == before)
        assert "‹ 1/2 ›" in footer(views(app)[-1])
        assert views(app)[-1].has_focus
        await pilot.press("right_square_bracket")
        await settle(pilot, lambda: texts(app)[-1].endswith("`42`."))


async def test_editing_a_reply_stores_the_persons_version(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test() as pilot:
        await pilot.press("up", "e")
        await settle(pilot, lambda: isinstance(app.screen, TextModal))
        app.screen.query_one(TextArea).text = "Put it in the fridge."
        await pilot.press("ctrl+s")
        await settle(pilot, lambda: texts(app)[-1] == "Put it in the fridge.")
        assert views(app)[-1].record.origin is Origin.EDITED
        assert "your version" in footer(views(app)[-1])


async def test_editing_an_own_message_branches_and_is_answered(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test() as pilot:
        await pilot.press("up", "k", "k", "k", "e")
        await settle(pilot, lambda: isinstance(app.screen, TextModal))
        app.screen.query_one(TextArea).text = "good morning"
        await pilot.press("ctrl+s")
        await settle(pilot, lambda: len(texts(app)) == 2 and complete(app)())
        assert texts(app)[0] == "good morning"
        assert "‹ 2/2 ›" in footer(views(app)[0])


async def test_leaving_an_edit_asks_before_anything_is_lost(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test() as pilot:
        before = texts(app)
        await pilot.press("up", "e")
        await settle(pilot, lambda: isinstance(app.screen, TextModal))
        await pilot.press("x", "escape")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("escape")
        assert isinstance(app.screen, TextModal)
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("y")
        await settle(pilot, lambda: not isinstance(app.screen, TextModal | ConfirmModal))
        assert texts(app) == before


async def test_copying_takes_the_text_as_stored(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test() as pilot:
        await pilot.press("up", "y")
        assert app.clipboard == views(app)[-1].record.text


async def test_j_and_k_move_and_escape_leads_back_to_the_prompt() -> None:
    app = app_of(with_conversations())
    async with app.run_test() as pilot:
        await pilot.press("up", "k", "k")
        assert views(app)[1].has_focus
        await pilot.press("j")
        assert views(app)[2].has_focus
        await pilot.press("escape")
        assert isinstance(app.focused, Prompt)


async def test_a_new_chat_is_only_stored_with_its_first_message(settle) -> None:
    assistant = with_conversations()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+n")
        await settle(pilot, lambda: not views(app))
        assert len(assistant.chat.conversations()) == 3
        await write(pilot, "fresh")
        await settle(pilot, complete(app))
        assert assistant.chat.conversations()[0].title == "fresh"


async def test_a_reply_goes_on_in_its_conversation_while_another_is_shown(settle) -> None:
    assistant = with_conversations()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await write(pilot, "more")
        await settle(pilot, lambda: texts(app)[-1] == "The ")
        await pilot.press("ctrl+n")
        await settle(pilot, lambda: not views(app))
        assistant.chat.go.set()
        await settle(pilot, lambda: "ready" in status(app))
        assert not views(app)
        await app.screen.open(3)
        await settle(pilot, lambda: texts(app)[-1].endswith("`42`."))


async def test_an_engine_error_is_said_in_place_and_the_screen_lives_on(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.fail_at = 2
    app = app_of(assistant)
    async with app.run_test(notifications=True) as pilot:
        await write(pilot, "hi")
        await settle(pilot, lambda: bool(app.screen.query(".notice.-error")))
        assert texts(app)[-1] == "The **answer** "
        assert "failed" in footer(views(app)[-1])
        assert "engine error" in status(app)
        assistant.chat.fail_at = None
        await pilot.press("up", "r")
        await settle(pilot, lambda: texts(app)[-1].endswith("`42`.") and complete(app)())
        assert not app.screen.query(".notice.-error")


async def test_a_model_that_cannot_load_is_said_and_typing_still_works(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.load_error = "no model found; install the bundled one or set Model in the settings"
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await settle(pilot, lambda: bool(app.screen.query(".notice.-error")))
        await pilot.press("a")
        assert app.screen.query_one(Prompt).text == "a"


async def test_a_steered_chat_says_so(settle) -> None:
    app = app_of(with_profile())
    async with app.run_test() as pilot:
        await settle(pilot, lambda: "steered · v3 · strength 1.0" in status(app))
        await write(pilot, "hi")
        await settle(pilot, complete(app))
        assert "steered v3 × 1.0" in footer(views(app)[-1])


async def test_long_conversations_load_upwards_and_keep_their_place(settle) -> None:
    assistant = with_conversations()
    assistant.chat.say(3, *(f"message {number}" for number in range(200)))
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await settle(pilot, lambda: len(views(app)) == WINDOW)
        messages = app.screen.query_one(MessageList)
        first = views(app)[0].record.text
        messages.scroll_to(y=0, animate=False)
        await settle(pilot, lambda: len(views(app)) == 2 * WINDOW)
        top = next(view for view in views(app) if view.record.text == first)
        await settle(pilot, lambda: abs(top.region.y - messages.region.y) <= 2)


async def test_the_end_is_followed_until_the_person_scrolls_up(settle) -> None:
    assistant = with_conversations()
    assistant.chat.script = ["start\n\n", *(f"paragraph {number}\n\n" for number in range(40))]
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test(size=(80, 24)) as pilot:
        messages = app.screen.query_one(MessageList)
        await write(pilot, "hi")
        await settle(pilot, lambda: "start" in texts(app)[-1] and messages.scroll_y == messages.max_scroll_y)
        await pilot.press("pageup")
        await settle(pilot, lambda: messages.scroll_y < messages.max_scroll_y)
        place = messages.scroll_y
        assistant.chat.go.set()
        await settle(pilot, complete(app))
        assert messages.scroll_y == place


async def test_the_model_gives_a_title_after_the_first_exchange(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.title = "A [short] greeting"
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await write(pilot, "hi")
        listed = app.screen.query_one(ConversationList)
        await settle(pilot, lambda: listed.option_count and "A [short]" in listed.get_option_at_index(0).prompt.plain)
        assistant.chat.title_error = "engine: it ended"
        await write(pilot, "again")
        await settle(pilot, lambda: len(views(app)) == 4 and complete(app)())
        assert not app._notifications


async def test_of_a_long_conversation_only_a_part_is_mounted_wherever_one_scrolls(settle) -> None:
    assistant = with_conversations()
    assistant.chat.say(3, *(f"message {number}" for number in range(150)))
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        messages = app.screen.query_one(MessageList)
        await settle(pilot, lambda: messages.max_scroll_y > 0)
        said = [message.text for message in assistant.chat.messages(3)]
        seen: set[str] = set()

        def in_sight() -> list[str]:
            return [view.record.text for view in views(app) if messages.region.overlaps(view.region)]

        for step, end in ((-1, said[0]), (1, said[-1])):
            for _ in range(400):
                before = in_sight()
                seen.update(before)
                assert len(views(app)) <= MOST + WINDOW
                assert texts(app) == said[said.index(texts(app)[0]) :][: len(texts(app))]  # in order, none missing
                if end in before and not messages._loading:
                    break
                messages.scroll_relative(y=30 * step, animate=False)
                await settle(pilot, lambda: not messages._loading)
                assert {*before} & {*in_sight()} or messages._loading  # one page on, not somewhere else
            assert end in in_sight()
        assert seen == {*said}
        await write(pilot, "and now")
        await settle(pilot, lambda: "and now" in texts(app) and complete(app)())
        assert texts(app)[-3] == said[-1]
