"""Screens hold still: no blinking cursor, no animation."""

import os

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from tests.tui.reading import opened, until

os.environ["TEXTUAL_ANIMATIONS"] = "none"


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cursor that does not blink."""
    for widget in (Input, TextArea):
        monkeypatch.setattr(widget.cursor_blink, "_default", False)


@pytest.fixture
def settle():
    """Wait until what was set off has reached the screen."""

    async def wait(pilot: Pilot[int], ready=lambda: True) -> None:
        await until(pilot, ready)
        await pilot.pause()

    return wait


@pytest.fixture
def snap_compare(snap_compare):
    """The plugin's own, whose keys are pressed when there is something that takes them."""

    def compare(app, *, terminal_size, run_before):
        async def run(pilot: Pilot[int]) -> None:
            await opened(pilot)
            await run_before(pilot)

        return snap_compare(app, terminal_size=terminal_size, run_before=run)

    return compare
