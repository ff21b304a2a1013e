"""Screens hold still: no blinking cursor, no animation."""

import os

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from tests.tui.reading import until

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
