"""Markdown that grows: pieces go together so that drawing takes a fixed share of the time, however long the text is."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from textual.widgets import Markdown

SHARE = 0.15
"""Of one core, for parsing, laying out and drawing; the rest is for keys and whatever else runs."""
CREDIT_SECONDS = 0.15
"""Of drawing that may be done at once, so that the beginning of a reply shows without delay."""
LONGEST_PAUSE = 1.0


class PacedStream:
    """Appends to a Markdown widget; as the end of a long text costs more to draw, more pieces go together there."""

    def __init__(self, markdown: Markdown) -> None:
        self._markdown = markdown
        self._pending: list[str] = []
        self._wake = asyncio.Event()
        self._credit = CREDIT_SECONDS
        self._task = asyncio.create_task(self._run())

    def write(self, piece: str) -> None:
        """Append a piece as soon as it is due."""
        self._pending.append(piece)
        self._wake.set()

    async def stop(self) -> None:
        """End, with what was written drawn."""
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._append()

    async def _run(self) -> None:
        while await self._wake.wait():
            self._wake.clear()
            began, computed = time.monotonic(), time.thread_time()
            # Not broken off by the end of the stream: what is half appended would be lost.
            await asyncio.shield(self._append())
            await self._drawn()
            self._credit -= time.thread_time() - computed
            if self._credit < 0:
                elapsed = time.monotonic() - began
                await asyncio.sleep(min(LONGEST_PAUSE, max(0.0, -self._credit / SHARE - elapsed)))
            self._credit = min(CREDIT_SECONDS, self._credit + SHARE * (time.monotonic() - began))

    async def _append(self) -> None:
        text = "".join(self._pending)
        self._pending.clear()
        if text:
            await self._markdown.append(text)

    async def _drawn(self) -> None:
        """Wait until the screen shows it, a moment at most: a screen that is covered draws nothing."""
        drawn = asyncio.Event()
        if self._markdown.call_after_refresh(drawn.set):
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes at the moment of drawing.
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_PAUSE):
                    await drawn.wait()
