"""What moved the vector most: shown, opened and taken out by a key, and told at the end of a rebuild."""

from __future__ import annotations

from dataclasses import replace

from textual.widgets import DataTable

from assistant.profile.version import Profile
from assistant.records import Influence
from steering.own_text import own_text
from tests.tui.doubles import ScriptedAssistant
from tests.tui.samples import app_of, profile, with_items
from tests.tui.test_settings import open_page, shown
from tests.tui.test_snapshots import sizes, until
from tui.screens.settings import SettingsScreen
from tui.widgets.preferences.influence import InfluenceTable

MOVED = (Influence("i1", 0.5, 0.7), Influence("i0", 0.2, 0.2), Influence("i3", 0.1, 0.1), Influence("gone", 0.0, 0.0))


def with_influence() -> ScriptedAssistant:
    assistant = with_items()
    assistant.profiles.put(influenced(profile(1, gain=0.08)))
    return assistant


def influenced(made: Profile) -> Profile:
    return replace(made, outcome=replace(made.outcome, influence=MOVED))


def rows(app) -> list[list[str]]:
    table = app.screen.query_one("#influence", DataTable)
    return [[cell.plain.strip() for cell in table.get_row_at(i)] for i in range(table.row_count)]


async def test_the_texts_stand_in_order_with_their_shares(settle) -> None:
    app = app_of(with_influence())
    async with app.run_test(size=(140, 60)) as pilot:
        await open_page(pilot, "3")
        await settle(pilot, lambda: len(rows(app)) == 3)
        assert [row[0].split()[-1] for row in rows(app)] == ["70.0%", "20.0%", "10.0%"]
        assert [row[2] for row in rows(app)] == ["edited", "text", "message"]
        assert rows(app)[0][3].startswith("hi martin, the tap drips")
        assert rows(app)[0][1] == "▲ 2.8 × the mean" and rows(app)[1][1] == ""


async def test_a_key_takes_a_text_out_and_back_in(settle) -> None:
    assistant = with_influence()
    app = app_of(assistant)
    async with app.run_test(size=(140, 60)) as pilot:
        screen = await open_page(pilot, "3")
        await settle(pilot, lambda: len(rows(app)) == 3)
        screen.query_one("#influence", DataTable).focus()
        await pilot.press("down", "x")
        assert [one.item.id for one in assistant.preferences.items() if one.excluded] == ["i0", "i2"]
        assert rows(app)[1][1] == "○ taken out"
        assert "1 of 4 texts" in shown(app, "#learned-summary")
        await pilot.press("x")
        assert [one.item.id for one in assistant.preferences.items() if one.excluded] == ["i2"]
        assert rows(app)[1][1] == ""


async def test_a_text_taken_out_elsewhere_is_marked_here(settle) -> None:
    app = app_of(with_influence())
    async with app.run_test(size=(140, 60)) as pilot:
        await open_page(pilot, "1")
        await pilot.press("space")
        await pilot.press("3")
        await settle(pilot, lambda: [row[1] for row in rows(app)][1] == "○ taken out")


async def test_enter_opens_the_text(settle) -> None:
    app = app_of(with_influence())
    async with app.run_test(size=(140, 60)) as pilot:
        screen = await open_page(pilot, "3")
        await settle(pilot, lambda: len(rows(app)) == 3)
        screen.query_one("#influence", DataTable).focus()
        await pilot.press("enter")
        await settle(pilot, lambda: "hi martin" in shown(app, "#item-text"))
        assert screen.query_one("#items", DataTable).has_focus


async def test_a_version_of_before_shows_no_table(settle) -> None:
    assistant = with_items()
    assistant.profiles.put(profile(1, gain=0.08))
    app = app_of(assistant)
    async with app.run_test(size=(140, 60)) as pilot:
        screen = await open_page(pilot, "3")
        assert not screen.query_one(InfluenceTable).display


async def test_the_end_of_a_rebuild_names_the_texts(settle) -> None:
    assistant = with_influence()
    app = app_of(assistant)
    async with app.run_test(size=(140, 60)) as pilot:
        assistant.rebuild.result = assistant.profiles.versions[0]
        assistant.rebuild.go.set()
        await open_page(pilot, "2")
        await pilot.press("b")
        await settle(pilot, lambda: "Moved the vector most" in shown(app, "#rebuild-progress"))
        assert "70.0%  “hi martin, the tap drips again." in shown(app, "#rebuild-progress")


async def test_what_is_not_ones_own_in_a_text_is_said(settle) -> None:
    assistant = with_items()
    passages = own_text("> one two three\nmine\n\n```\nfour\n```").left_out
    assistant.preferences.learnable[0] = replace(assistant.preferences.learnable[0], passages=passages)
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await open_page(pilot, "1")
        await settle(pilot, lambda: "7 words of it are not yours (quotation, code)" in shown(app, "#item-text"))


@sizes
def test_influence(snap_compare, size) -> None:
    async def section(pilot) -> None:
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(pilot.app.screen, SettingsScreen))
        await pilot.press("3")
        await until(pilot, lambda: pilot.app.screen.query_one("#influence").region.height > 0)
        pilot.app.screen.query_one("#influence").focus()
        await until(pilot, lambda: pilot.app.screen.query_one("#influence").has_focus)

    assert snap_compare(app_of(with_influence()), terminal_size=size, run_before=section)
