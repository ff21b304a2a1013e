"""Screens hold still: no blinking cursor, no animation."""

import asyncio
import os

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

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
        async with asyncio.timeout(60):
            while True:
                await pilot.pause()
                if ready():
                    await pilot.pause()
                    return
                await asyncio.sleep(0.001)  # what is waited for may be a thread's, on a busy machine

    return wait
