"""The offer of a rebuild in the chat: shown, put off, and begun by itself where that is chosen."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tui.offering
from assistant.profile.news import News
from assistant.settings import PreferenceSettings, Settings
from tests.tui.reading import until
from tests.tui.samples import PROGRESS, app_of, profile, with_conversations, with_profile
from tui.widgets.confirm import ConfirmModal
from tui.widgets.preferences.rebuild import RebuildPanel
from tui.widgets.prompt import Prompt
from tui.widgets.rebuild_hint import RebuildHint

ENOUGH = News(3, 40, 12)
BY_ITSELF = Settings(preferences=PreferenceSettings(rebuild_automatically=True))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tui.offering, "QUIET_SECONDS", 0.01)


def offering(assistant, news: News = ENOUGH, settings: Settings | None = None):
    assistant.offer.found = news
    assistant.settings = settings or assistant.settings
    assistant.rebuild.script = PROGRESS
    assistant.rebuild.result = profile(4, gain=0.2)
    return assistant


def hint(app) -> RebuildHint:
    return app._chat_screen.query_one(RebuildHint)


def said(app) -> str:
    return " ".join(one.message for one in app._notifications)


async def looked(pilot, assistant) -> None:
    """Wait until it was looked whether there is something to offer."""
    seen = []
    news = assistant.offer.news

    async def watched():
        found = await news()
        seen.append(found)
        return found

    assistant.offer.news = watched
    pilot.app._offering.look_soon()
    await until(pilot, lambda: seen)
    await pilot.pause()
    assistant.offer.news = news


@pytest.mark.parametrize("size", [(80, 24), (140, 45)])
async def test_enough_news_are_told_in_one_line_with_the_keys(size) -> None:
    app = app_of(offering(with_profile()))
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: hint(app).display)
        assert hint(app).content.plain == "△ 12 new texts since version 3 · f2 b rebuilds · f5 hides this"
        await pilot.pause()
        assert hint(app).size.height == 1
        assert hint(app).size.width >= len(hint(app).content.plain), "all of it can be read"
        assert isinstance(app.focused, Prompt), "the person goes on writing"


async def test_the_keys_are_those_that_the_person_has_chosen() -> None:
    settings = Settings(keys={"chat.later": "f9", "settings.rebuild": "R"})
    app = app_of(offering(with_profile(), settings=settings))
    async with app.run_test() as pilot:
        await until(pilot, lambda: hint(app).display)
        assert hint(app).content.plain.endswith("f2 R rebuilds · f9 hides this")
        await pilot.press("f9")
        await until(pilot, lambda: not hint(app).display)


@pytest.mark.parametrize("size", [(80, 24), (140, 45)], ids=["80x24", "140x45"])
def test_how_the_line_looks(snap_compare, size) -> None:
    async def wait(pilot) -> None:
        await until(pilot, lambda: hint(pilot.app).display)
        await pilot.pause()

    assert snap_compare(app_of(offering(with_profile())), terminal_size=size, run_before=wait)


async def test_too_few_news_take_no_room() -> None:
    assistant = offering(with_profile(), replace(ENOUGH, new=3))
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await looked(pilot, assistant)
        assert not hint(app).display
        assert app.screen.check_action("later", ()) is False


async def test_it_is_hidden_by_a_key_until_more_has_come() -> None:
    assistant = offering(with_profile())
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await until(pilot, lambda: hint(app).display)
        await pilot.press("f5")
        await until(pilot, lambda: not hint(app).display)
        assert assistant.offer.hidden == [ENOUGH]
        await looked(pilot, assistant)
        assert not hint(app).display
        assistant.offer.found = replace(ENOUGH, new=30)
        await looked(pilot, assistant)
        assert "30 new texts" in hint(app).content.plain
        assert hint(app).display


@pytest.mark.parametrize("keys", [["up", "plus"], ["f2", "escape"], [*"/like", "enter"]], ids=" ".join)
async def test_it_is_looked_for_after_feedback(keys) -> None:
    assistant = offering(with_conversations(), News(3, 40, 0))
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await looked(pilot, assistant)
        assistant.offer.found = ENOUGH
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await until(pilot, lambda: hint(app).display)


async def test_it_is_not_looked_for_while_one_writes() -> None:
    assistant = offering(with_profile())
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await until(pilot, lambda: hint(app).display)
        await looked(pilot, assistant)
        asked = []
        assistant.offer.news = lambda: asked.append(1)
        await pilot.press(*"a few words", "backspace", "left", "up")
        await pilot.pause(0.1)
        assert asked == []


async def test_the_keys_of_the_line_lead_to_a_rebuild_which_takes_the_line_away() -> None:
    assistant = offering(with_profile())
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await until(pilot, lambda: hint(app).display)
        await pilot.press("f2")
        await until(pilot, lambda: app.screen is not app._chat_screen and app.focused is not None)
        await pilot.press("b")
        await until(pilot, lambda: app.rebuild_job.running)
        assert not hint(app).display
        assistant.offer.found = News(4, 52, 0)
        assistant.rebuild.go.set()
        await until(pilot, lambda: not app.rebuild_job.running)
        await looked(pilot, assistant)
        assert not hint(app).display


async def test_page_two_says_the_same() -> None:
    app = app_of(offering(with_profile()))
    async with app.run_test() as pilot:
        await pilot.press("f2")
        await until(pilot, lambda: app.screen is not app._chat_screen and app.focused is not None)
        await pilot.press("2")
        await until(pilot, lambda: app.screen.query(RebuildPanel))
        intro = app.screen.query_one(RebuildPanel).query_one("#rebuild-intro")
        await until(pilot, lambda: "12 new texts since version 3." in intro.content.plain)


async def test_by_default_nothing_starts_by_itself() -> None:
    assistant = offering(with_profile())
    assert not assistant.settings.preferences.rebuild_automatically
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await until(pilot, lambda: hint(app).display)
        await looked(pilot, assistant)
        assert assistant.rebuild.runs == 0


async def test_where_it_is_chosen_a_rebuild_begins_by_itself_and_says_so() -> None:
    assistant = offering(with_profile(), settings=BY_ITSELF)
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.rebuild_job.running)
        assert "12 new texts since version 3: rebuilding by itself; f2 2 esc cancels it." in said(app)
        assert assistant.offer.tried == [ENOUGH], "noted before it can take the program with it"
        assert not hint(app).display
        await pilot.press("f2")
        await until(pilot, lambda: app.screen is not app._chat_screen and app.focused is not None)
        await pilot.press("2")
        await until(pilot, lambda: app.focused is not None and app.focused.id == "rebuild-cancel")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("y")
        await until(pilot, lambda: app.rebuild_job.cancelled)


async def test_it_waits_for_a_reply_and_for_the_model() -> None:
    assistant = offering(with_profile(), settings=BY_ITSELF)
    assistant.chat.load_gate.clear()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await until(pilot, lambda: hint(app).display)
        assert assistant.rebuild.runs == 0
        app.screen.query_one(Prompt).insert("hello")
        await pilot.press("enter")
        await until(pilot, lambda: app._chat_screen.live.running)
        assistant.chat.load_gate.set()
        await looked(pilot, assistant)
        assert assistant.rebuild.runs == 0
        assistant.chat.go.set()
        await until(pilot, lambda: app.rebuild_job.running)


@pytest.mark.parametrize("ended", ["error", "cancel"])
async def test_what_came_to_nothing_is_not_begun_again_with_the_same_texts(ended) -> None:
    assistant = offering(with_profile(), settings=BY_ITSELF)
    assistant.rebuild.error = "out of memory" if ended == "error" else ""
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.rebuild_job.running)
        (app.rebuild_job.cancel if ended == "cancel" else assistant.rebuild.go.set)()
        await until(pilot, lambda: hint(app).display)
        await looked(pilot, assistant)
        assert assistant.rebuild.runs == 1
        assistant.offer.found = replace(ENOUGH, new=30)
        await until(pilot, lambda: not app.rebuild_job.running)
        app._offering.look_soon()
        await until(pilot, lambda: assistant.rebuild.runs == 2)


async def test_what_is_put_off_does_not_begin_by_itself_either() -> None:
    assistant = offering(with_profile(), settings=BY_ITSELF)
    assistant.offer.hidden.append(ENOUGH)
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await looked(pilot, assistant)
        assert assistant.rebuild.runs == 0
        assert not hint(app).display


async def test_where_nothing_can_be_stored_none_is_offered() -> None:
    assistant = offering(with_profile(), settings=BY_ITSELF)
    assistant.only_reading = "the disk is full"
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await looked(pilot, assistant)
        assert assistant.rebuild.runs == 0
        assert not hint(app).display
