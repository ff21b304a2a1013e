"""The line of keys at the foot shows whole keys only, on every screen and at every width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets._footer import FooterKey

from tests.tui.reading import views, write
from tests.tui.samples import app_of, with_conversations, with_items, with_profile
from tui.widgets.key_line import KeyLine, fitting


def shown(app) -> list[str]:
    """The keys in the line; none before each of them lies within it and is drawn to its end."""
    line = app.screen.query_one(KeyLine)
    keys = list(line.query(FooterKey))
    whole = all(key.region.right <= line.region.right and key.region.width >= len(key.render().plain) for key in keys)
    return [f"{key.key_display} {key.description}" for key in keys] if whole else []


@pytest.mark.parametrize("width", [40, 80, 140])
async def test_every_key_is_whole_and_the_help_is_among_them(settle, width) -> None:
    assistant = with_items()
    app = app_of(assistant)
    async with app.run_test(size=(width, 24)) as pilot:
        for opens, page in (("", ""), ("f2", "#learned"), ("3", "#outcome"), ("5", "#general"), ("6", "#keys-page")):
            await pilot.press(*filter(None, (opens,)))
            await settle(pilot, lambda page=page: "f1 Help" in shown(app) and (not page or app.screen.query(page)))
        await pilot.press("escape", "f4")
        await settle(pilot, lambda: any("Clear" in key or "Back" in key for key in shown(app)))
        assert "f1 Help" in shown(app)


async def test_of_a_message_and_of_a_reply_that_runs(settle) -> None:
    app = app_of(with_conversations())
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot, lambda: len(views(app)) > 1)
        await pilot.press("shift+tab")
        await settle(pilot, lambda: {"y Copy", "f1 Help"} <= {*shown(app)})
    assistant = with_profile()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test(size=(80, 24)) as pilot:
        await write(pilot, "Why?")
        await settle(pilot, lambda: {"esc Stop", "f1 Help"} <= {*shown(app)})


async def test_a_wider_window_shows_more(settle) -> None:
    app = app_of(with_items())
    async with app.run_test(size=(60, 24)) as pilot:
        await settle(pilot, lambda: "f1 Help" in shown(app) and "^p Commands" not in shown(app))
        await pilot.resize_terminal(140, 24)
        await settle(pilot, lambda: "^p Commands" in shown(app))


@given(st.lists(st.integers(1, 30)), st.integers(0, 200), st.integers(0, 10))
def test_what_is_kept_is_there_and_the_rest_fits(widths, room, place) -> None:
    kept = {place} if place < len(widths) else set()
    chosen = fitting(widths, kept, room)
    assert kept <= {*chosen}
    assert chosen == sorted({*chosen})
    assert sum(widths[one] for one in chosen) <= max(room, sum(widths[one] for one in kept))
    assert sum(widths) > room or len(chosen) == len(widths)
