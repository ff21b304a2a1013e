"""Settings, the workbench and the rebuild by their keys."""

from dataclasses import replace

from textual.widgets import Button, DataTable, Input, Select, Static, TabbedContent, TextArea

from assistant.errors import RebuildError
from assistant.settings import SamplingSettings
from tests.tui.doubles import MODEL, ScriptedAssistant
from tests.tui.reading import complete, texts, until, write
from tests.tui.samples import PROGRESS, app_of, profile, with_items, with_profile
from tui.screens.settings import SettingsScreen
from tui.widgets.confirm import ConfirmModal
from tui.widgets.message import MessageView
from tui.widgets.prompt import Prompt
from tui.widgets.setting_row import SettingRow
from tui.widgets.text_modal import TextModal


def shown(app, selector: str) -> str:
    return app.screen.query_one(selector, Static).content.plain


def active_ids(app) -> set[str]:
    return {binding.binding.id for binding in app.screen.active_bindings.values()}


async def open_page(pilot, key: str) -> SettingsScreen:
    await pilot.press("f2")
    await until(pilot, lambda: isinstance(pilot.app.screen, SettingsScreen) and pilot.app.screen.focused is not None)
    await pilot.press(key)
    await pilot.pause()
    assert isinstance(pilot.app.screen, SettingsScreen)
    return pilot.app.screen


async def test_space_takes_an_item_out_and_back_in(settle) -> None:
    assistant = with_items()
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await open_page(pilot, "1")
        await pilot.press("space")
        assert assistant.preferences.items()[0].excluded
        assert "1 of 4 texts" in shown(app, "#learned-summary")
        await pilot.press("enter")
        assert not assistant.preferences.items()[0].excluded


async def test_an_item_is_explained_by_the_effect_of_its_words(settle) -> None:
    app = app_of(with_profile())
    async with app.run_test(size=(140, 45)) as pilot:
        await open_page(pilot, "1")
        await settle(pilot, lambda: "honestly" in shown(app, "#item-text"))
        content = app.screen.query_one("#item-text", Static).content
        strong = [content.plain[span.start : span.end] for span in content.spans if "underline" in str(span.style)]
        assert "honestly" in strong
        assert "overnight." not in strong
        assert "strong" in content.plain


async def test_words_are_coloured_by_the_other_measure_as_well(settle) -> None:
    assistant = with_profile()
    why = assistant.profiles.explanations["i0"]
    spans = tuple(replace(span, difference=0.5 if span.effect < 0.2 else -0.5) for span in why.spans)
    assistant.profiles.explanations["i0"] = replace(why, spans=spans, unscored=1234)
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await open_page(pilot, "1")
        await settle(pilot, lambda: "log ratio" in shown(app, "#item-text"))
        assert "the last 1,234 characters are not scored" in shown(app, "#item-text")
        assert "compared with 1 earlier text of yours" in shown(app, "#item-text")
        await pilot.press("m")
        await settle(pilot, lambda: "coloured by how much more probable" in shown(app, "#item-text"))
        content = app.screen.query_one("#item-text", Static).content
        strong = [content.plain[span.start : span.end] for span in content.spans if "underline" in str(span.style)]
        assert "honestly" not in strong
        assert "would" in strong
        await pilot.press("m")
        await settle(pilot, lambda: "coloured by how much likelier" in shown(app, "#item-text"))


async def test_the_reason_why_an_item_is_left_out_is_shown(settle) -> None:
    app = app_of(with_profile())
    async with app.run_test() as pilot:
        await open_page(pilot, "1")
        await pilot.press("end", "down", "down", "down", "down")
        await settle(pilot, lambda: "too short to learn from" in shown(app, "#item-text"))


async def test_a_text_can_be_added(settle) -> None:
    assistant = with_items()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await open_page(pilot, "1")
        await pilot.press("a")
        await settle(pilot, lambda: isinstance(app.screen, TextModal))
        app.screen.query_one(TextArea).text = "a note of mine"
        await pilot.press("ctrl+s")
        await settle(pilot, lambda: isinstance(app.screen, SettingsScreen))
        assert assistant.preferences.items()[-1].item.text == "a note of mine"
        assert app.screen.query_one("#items", DataTable).row_count == 6


async def test_a_rebuild_shows_its_stages_goes_on_in_the_chat_and_ends_in_a_new_version(settle) -> None:
    assistant = with_profile()
    assistant.rebuild.script = PROGRESS
    assistant.rebuild.result = profile(4, gain=0.2)
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await open_page(pilot, "2")
        await pilot.press("b")
        await settle(pilot, lambda: "9/24" in shown(app, "#rebuild-progress"))
        text = shown(app, "#rebuild-progress")
        assert "✓ Loading the model" in text
        assert "▸ Scoring which words" in text
        assert "○ Measuring the gain" in text
        assert "2 min 02 s left" in text
        assert not app.screen.query_one("#rebuild-start", Button).display
        assert "settings.rebuild" not in active_ids(app)
        await pilot.press("f2")
        assert not isinstance(app.screen, SettingsScreen)
        assert "rebuilding 2/8" in shown(app, "#status")
        await open_page(pilot, "3")
        await settle(pilot, lambda: "Version 3" in shown(app, "#outcome-head"))
        await pilot.press("2")
        await settle(pilot, lambda: "9/24" in shown(app, "#rebuild-progress"))
        assistant.profiles.put(profile(4, gain=0.2))
        assistant.rebuild.go.set()
        await settle(pilot, lambda: "Version 4" in shown(app, "#rebuild-progress"))
        assert "22.1 % likelier" in shown(app, "#rebuild-progress")
        assert "Version 4" in shown(app, "#outcome-head")  # the page was there before
        assert "settings.rebuild" in active_ids(app)
        assert assistant.rebuild.runs == 1


async def test_the_settings_lead_back_to_the_prompt_and_not_to_a_message_with_keys_of_its_own(settle) -> None:
    app = app_of(with_profile())
    async with app.run_test() as pilot:
        await write(pilot, "hi")
        await settle(pilot, complete(app))
        await pilot.press("shift+tab")
        assert isinstance(app.screen.focused, MessageView)
        before = texts(app)
        await open_page(pilot, "1")
        await pilot.press("escape")
        await pilot.press(*"really")  # r would ask for the reply anew
        assert app.screen.query_one(Prompt).text == "really"
        assert texts(app) == before


async def test_escape_asks_before_a_rebuild_is_cancelled(settle) -> None:
    assistant = with_items()
    assistant.rebuild.script = PROGRESS
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await open_page(pilot, "2")
        await pilot.press("b")
        await settle(pilot, lambda: "9/24" in shown(app, "#rebuild-progress"))
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, SettingsScreen))
        assert app.rebuild_job.running
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("y")
        await settle(pilot, lambda: not app.rebuild_job.running)
        await settle(pilot, lambda: "Cancelled" in shown(app, "#rebuild-progress"))


async def test_a_rebuild_that_fails_says_why_in_place(settle) -> None:
    assistant = with_items()
    assistant.rebuild.error = "2 texts are too few to learn from; add or rate at least 4"
    assistant.rebuild.go.set()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await open_page(pilot, "2")
        await pilot.press("b")
        await settle(pilot, lambda: assistant.rebuild.error in shown(app, "#rebuild-progress"))
        assert app.screen.query_one("#rebuild-start", Button).display
        assert issubclass(RebuildError, Exception)


async def test_quitting_during_a_rebuild_asks(settle) -> None:
    assistant = with_items()
    assistant.rebuild.script = PROGRESS
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await open_page(pilot, "2")
        await pilot.press("b")
        await settle(pilot, lambda: app.rebuild_job.running)
        await pilot.press("f2", "ctrl+c")
        assert app.is_running
        await pilot.press("ctrl+q")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("y")
        await settle(pilot, lambda: app.return_value == 0)


async def test_a_refused_entry_goes_back_to_the_default(settle) -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test(size=(140, 45)) as pilot:
        screen = await open_page(pilot, "5")
        row = screen.query_one("#setting-model-threads", SettingRow)
        field = row.query_one(Input)
        field.focus()
        field.value = "many"
        await pilot.press("enter")
        assert "A whole number" in row.query_one(".problem", Static).content.plain
        await pilot.press("ctrl+r")
        assert field.value == "0" and not row.query_one(".problem").display


async def test_versions_roll_back(settle) -> None:
    assistant = with_profile()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await open_page(pilot, "4")
        await pilot.press("down", "enter")
        current = assistant.profiles.current()
        assert current is not None
        assert current.version == 2
        await pilot.press("3")
        await settle(pilot, lambda: "Version 2" in shown(app, "#outcome-head"))


async def test_numbers_turn_the_pages_wherever_they_lead(settle) -> None:
    app = app_of(with_profile())
    pages = {"1": "learned", "2": "rebuild", "3": "outcome", "4": "versions", "5": "general", "6": "keys-page"}
    async with app.run_test(size=(140, 45)) as pilot:
        screen = await open_page(pilot, "1")
        for key in "123456543215263141":
            await pilot.press(key)
            page = screen.query_one(f"#{pages[key]}")
            bar = screen.query_one("#areas" if key in "56" else "#workbench", TabbedContent)

            def arrived(page=page, bar=bar) -> bool:
                focused = screen.focused
                return bar.active == page.id and focused is not None and {page, bar} & {*focused.ancestors}

            await settle(pilot, arrived)
            assert not isinstance(screen.focused, Input | TextArea)
        await pilot.press("3", "tab")
        await settle(pilot, lambda: screen.query_one("#outcome") in screen.focused.ancestors)


async def test_a_setting_is_saved_or_its_fault_named_in_place(settle) -> None:
    assistant = ScriptedAssistant()
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        screen = await open_page(pilot, "5")
        row = screen.query_one("#setting-sampling-temperature", SettingRow)
        field = row.query_one(Input)
        field.focus()
        field.value = "0.2"
        await pilot.press("enter")
        assert assistant.sampling.temperature == 0.2
        field.value = "9"
        await pilot.press("enter")
        assert "not allowed" in row.query_one(".problem", Static).content.plain
        assert assistant.sampling.temperature == 0.2
        field.value = "warm"
        await pilot.press("enter")
        assert "A number" in row.query_one(".problem", Static).content.plain
        field.value = "0.3"
        await pilot.press("tab")
        assert assistant.sampling.temperature == 0.3
        assert assistant.settings.models[MODEL].temperature == 0.3
        assert not row.query_one(".problem").display
        field.value = ""
        await pilot.press("shift+tab", "enter")
        assert assistant.sampling.temperature == SamplingSettings().temperature
        assert field.value == str(SamplingSettings().temperature)


async def test_several_lines_keep_their_breaks_in_a_field_of_one(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.change_setting("model", "system_prompt", "Be kind.\nBe short. ⏎ is a key.")
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        screen = await open_page(pilot, "5")
        field = screen.query_one("#setting-model-system_prompt", SettingRow).query_one(Input)
        assert field.value == "Be kind.⏎Be short. ⏎ is a key."
        field.focus()
        await pilot.press("enter")
        assert assistant.settings.model.system_prompt == "Be kind.\nBe short. ⏎ is a key."
        field.value = "Be kind.⏎Be brief."
        await pilot.press("enter")
        assert assistant.settings.model.system_prompt == "Be kind.\nBe brief."


async def test_the_theme_holds_at_once_and_is_saved(settle) -> None:
    assistant = ScriptedAssistant()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        screen = await open_page(pilot, "5")
        screen.query_one("#setting-appearance-theme Select", Select).value = "nord"
        await settle(pilot, lambda: app.theme == "nord")
        assert assistant.settings.appearance.theme == "nord"
        app.theme = "gruvbox"
        await settle(pilot, lambda: assistant.settings.appearance.theme == "gruvbox")
