"""Keys of panels and dialogs that no other test presses."""

from __future__ import annotations

from textual.widgets import Button, DataTable, Input, OptionList

from assistant.settings import Settings
from tests.tui.doubles import ScriptedAssistant
from tests.tui.samples import app_of, with_conversations, with_items, with_profile
from tests.tui.test_influence import with_influence
from tests.tui.test_settings import open_page
from tui.screens.chat import ChatScreen
from tui.screens.settings import SettingsScreen
from tui.widgets.choice import ChoiceModal
from tui.widgets.confirm import ConfirmModal
from tui.widgets.export_modal import ExportModal
from tui.widgets.hits import HitList
from tui.widgets.messages import MessageList
from tui.widgets.path_modal import PathModal
from tui.widgets.preferences.influence import InfluenceTable
from tui.widgets.preferences.phrases import PhraseTable
from tui.widgets.search_line import SearchLine
from tui.widgets.slider import StrengthSlider
from tui.widgets.text_modal import LineModal


async def test_dialogs_are_left_with_nothing_by_escape(settle) -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test() as pilot:
        for modal in (ExportModal(None, 1), PathModal("A", "B", "/x"), LineModal("A", "text"), ChoiceModal("A", "b")):
            answers: list[object] = []
            await app.push_screen(modal, answers.append)
            await pilot.press("escape")
            await settle(pilot, lambda: isinstance(app.screen, ChatScreen))
            assert answers == [None]


async def test_arrows_move_between_the_answers_and_the_safe_one_comes_first(settle) -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test() as pilot:
        answers: list[bool | None] = []
        await app.push_screen(ConfirmModal("Sure?", "Erase"), answers.append)
        assert isinstance(app.focused, Button) and app.focused.id == "keep"
        await pilot.press("right")
        await settle(pilot, lambda: app.focused.id == "act")
        await pilot.press("left")
        await settle(pilot, lambda: app.focused.id == "keep")
        await pilot.press("right", "enter")
        await settle(pilot, lambda: answers == [True])


async def test_letters_move_in_a_choice(settle) -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test() as pilot:
        answers: list[int | None] = []
        await app.push_screen(ChoiceModal("Which?", ["one", "two", "three"]), answers.append)
        options = app.screen.query_one(OptionList)
        await settle(pilot, lambda: options.highlighted == 0)
        await pilot.press("j", "j", "k", "enter")
        await settle(pilot, lambda: answers == [1])


async def test_pages_are_turned_from_the_prompt(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test(size=(80, 24)) as pilot:
        messages = app.screen.query_one(MessageList)
        await settle(pilot, lambda: messages.max_scroll_y > 0 and messages.scroll_y == messages.max_scroll_y)
        await pilot.press("pageup")
        await settle(pilot, lambda: messages.scroll_y < messages.max_scroll_y)
        above = messages.scroll_y
        await pilot.press("pagedown")
        await settle(pilot, lambda: messages.scroll_y > above)


async def test_arrows_move_through_what_was_found_while_one_writes(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.press("ctrl+f", *"hi there")
        hits = app.screen.query_one(HitList)
        await settle(pilot, lambda: hits.query_shown == "hi there" and hits.option_count > 1 and hits.highlighted == 0)
        await pilot.press("down")
        await settle(pilot, lambda: hits.highlighted == 1)
        await pilot.press("up")
        await settle(pilot, lambda: hits.highlighted == 0)
        assert isinstance(app.focused, SearchLine)


async def test_the_strength_goes_down_and_back_to_what_was_calibrated(settle) -> None:
    assistant = with_profile()
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        screen = await open_page(pilot, "3")
        await settle(pilot, lambda: bool(screen.query(StrengthSlider)))
        screen.query_one(StrengthSlider).focus()
        await pilot.press("left", "h", "minus")
        await settle(pilot, lambda: assistant.profiles.state().strength == 0.7)
        await pilot.press("home")
        await settle(pilot, lambda: assistant.profiles.state().strength == 0)
        await pilot.press("c")
        await settle(pilot, lambda: assistant.profiles.state().strength == 1)


async def test_steering_is_switched_by_a_letter(settle) -> None:
    assistant = with_profile()
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        screen = await open_page(pilot, "3")
        await settle(pilot, lambda: bool(screen.query(StrengthSlider)))
        screen.query_one(StrengthSlider).focus()
        await pilot.press("o")
        await settle(pilot, lambda: not assistant.profiles.state().enabled)
        await pilot.press("o")
        await settle(pilot, lambda: assistant.profiles.state().enabled)


async def test_a_phrase_and_a_text_that_moved_the_vector_are_opened_by_a_letter(settle) -> None:
    for assistant, kind in ((with_profile(), PhraseTable), (with_influence(), InfluenceTable)):
        app = app_of(assistant)
        async with app.run_test(size=(140, 90)) as pilot:
            screen = await open_page(pilot, "3")
            await settle(pilot, lambda screen=screen, kind=kind: bool(screen.query(kind)))
            screen.query_one(kind).query_one(DataTable).focus()
            await pilot.press("w")
            await settle(pilot, lambda app=app: getattr(app.focused, "id", "") == "items")


async def test_keys_are_given_by_another_key_than_enter(settle) -> None:
    assistant = with_items()
    assistant.settings = Settings(keys={"keys.change": "g"})
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        screen = await open_page(pilot, "6")
        await settle(pilot, lambda: getattr(app.focused, "id", "") == "keys")
        await pilot.press("g")
        await settle(pilot, lambda: isinstance(app.screen, LineModal) and isinstance(app.focused, Input))
        await pilot.press("escape")
        await settle(pilot, lambda: app.screen is screen and isinstance(screen, SettingsScreen))


async def test_a_version_is_put_to_use_by_a_letter(settle) -> None:
    assistant = with_profile()
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        screen = await open_page(pilot, "4")
        await settle(pilot, lambda: bool(screen.query("#versions DataTable")))
        screen.query_one("#versions DataTable", DataTable).focus()
        await pilot.press("down", "u")
        await settle(pilot, lambda: assistant.profiles.state().version == 2)
