"""What a test reads off the chat screen, and how it writes a message."""

import asyncio
from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Static

from assistant.records import MessageState
from tui.widgets.message import MessageView
from tui.widgets.messages import MessageList
from tui.widgets.prompt import Prompt
from tui.widgets.status import StatusLine

SECONDS = 120


def views(app: App[Any]) -> list[MessageView]:
    return app.screen_stack[1].query_one(MessageList).views()


def texts(app: App[Any]) -> list[str]:
    return [view.record.text for view in views(app)]


def footer(view: MessageView) -> str:
    return _plain(view.query_one(".footer", Static))


def status(app: App[Any]) -> str:
    return _plain(app.screen_stack[1].query_one(StatusLine))


def complete(app: App[Any]) -> Callable[[], bool]:
    return lambda: bool(views(app)) and views(app)[-1].record.state is not MessageState.STREAMING


async def until(pilot: Pilot[Any], ready: Callable[[], bool]) -> None:
    """Wait until something is so, however slow the machine is."""
    async with asyncio.timeout(SECONDS):
        while True:
            await pilot.pause()
            if ready():
                return
            await asyncio.sleep(0.001)  # what is waited for may be a thread's or a child's


async def opened(pilot: Pilot[Any]) -> None:
    """Wait until keys reach the app's first screen, and what it opens with is there."""

    def ready() -> bool:
        screen = pilot.app.screen
        return screen.focused is not None and all(found.children for found in screen.query(MessageList))

    await until(pilot, ready)


async def write(pilot: Pilot[Any], text: str) -> None:
    pilot.app.screen.query_one(Prompt).insert(text)
    await pilot.press("enter")


def _plain(line: Static) -> str:
    shown = line.content
    assert isinstance(shown, Content)
    return shown.plain
