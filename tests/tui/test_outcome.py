"""The page of what was learned: on or off, how strongly, the description, the phrases."""

from textual.widgets import DataTable, Switch, TabbedContent, TextArea

from tests.tui.samples import app_of, with_profile
from tests.tui.test_settings import open_page, shown
from tui.widgets.confirm import ConfirmModal
from tui.widgets.preferences.phrases import PhraseTable
from tui.widgets.slider import StrengthSlider


async def test_the_slider_sets_the_strength_and_warns_past_the_safe_limit(settle) -> None:
    assistant = with_profile()
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        screen = await open_page(pilot, "3")
        slider = screen.query_one(StrengthSlider)
        slider.focus()
        await pilot.press("right", "right")
        assert assistant.profiles.state().strength == 1.2
        assert "⚠" not in slider.render().plain
        await pilot.press(*["right"] * 20)
        assert assistant.profiles.state().strength == 2.0
        assert "⚠ past the safe limit 1.4" in slider.render().plain
        await pilot.click(StrengthSlider, offset=(10, 0))
        assert assistant.profiles.state().strength == 0.5
        await pilot.press("home")
        assert assistant.profiles.state().strength == 0.0


async def test_steering_is_switched_off_and_the_chat_says_so(settle) -> None:
    assistant = with_profile()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        screen = await open_page(pilot, "3")
        screen.query_one("#steering-on", Switch).focus()
        await pilot.pause()
        await pilot.press("space")
        await settle(pilot, lambda: not assistant.profiles.state().enabled)
        await pilot.press("escape")
        await settle(pilot, lambda: "not steered: switched off" in shown(app, "#status"))


async def test_the_description_is_saved_in_the_persons_words(settle) -> None:
    assistant = with_profile()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        screen = await open_page(pilot, "3")
        area = screen.query_one("#description", TextArea)
        area.focus()
        area.text = "Short. Lower case."
        await settle(pilot, lambda: "not saved" in shown(app, "#description-state"))
        await pilot.press("ctrl+s")
        await settle(pilot, lambda: "in your words" in shown(app, "#description-state"))
        current = assistant.profiles.current()
        assert current is not None
        assert current.description == "Short. Lower case."


async def test_a_description_that_is_not_saved_is_asked_about(settle) -> None:
    assistant = with_profile()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        screen = await open_page(pilot, "3")
        area = screen.query_one("#description", TextArea)
        area.focus()
        area.text = "Short. Lower case."
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("escape")
        await settle(pilot, lambda: app.screen is screen)
        assert area.text == "Short. Lower case."
        await pilot.press("ctrl+s", "escape")
        await settle(pilot, lambda: app.screen is not screen and not isinstance(app.screen, ConfirmModal))


async def test_a_strength_between_the_steps_is_shown_and_put_right(settle) -> None:
    assistant = with_profile()
    assistant.profiles.set_strength(0.04)
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        screen = await open_page(pilot, "3")
        slider = screen.query_one(StrengthSlider)
        assert "0.04" in slider.render().plain and "switches" not in slider.render().plain
        slider.focus()
        await pilot.press("home")
        assert assistant.profiles.state().strength == 0.0
        assistant.profiles.set_strength(1.04)
        slider.show(1.04, 1.0)
        assert "⚠ past the safe limit 1.0" in slider.render().plain
        await pilot.press("c")
        assert assistant.profiles.state().strength == 1.0


async def test_a_phrase_can_be_vetoed_and_leads_to_its_text(settle) -> None:
    assistant = with_profile()
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        screen = await open_page(pilot, "3")
        screen.query_one("#phrases", DataTable).focus()
        await pilot.press("down", "down", "v")
        assert assistant.preferences.vetoed_phrases() == ["cheers"]
        await pilot.press("v")
        assert assistant.preferences.vetoed_phrases() == []
        await pilot.press("down", "enter")
        await settle(pilot, lambda: screen.query_one("#workbench", TabbedContent).active == "learned")
        await settle(pilot, lambda: "hi martin" in shown(app, "#item-text"))
        assert screen.query_one("#items", DataTable).has_focus
        assert screen.query_one(PhraseTable)


async def test_no_gain_is_said_plainly(settle) -> None:
    app = app_of(with_profile(recommended=False))
    async with app.run_test() as pilot:
        await open_page(pilot, "3")
        assert "Nothing is switched on" in shown(app, "#gain")
        assert "no candidate made your words likelier" in shown(app, "#gain")
        assert app.screen.query_one(StrengthSlider).disabled
