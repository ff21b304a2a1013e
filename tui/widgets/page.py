"""A page of the settings, whose widgets are made when it is first shown."""

from __future__ import annotations

from collections.abc import Callable

from textual.widget import Widget
from textual.widgets import TabPane


class Page(TabPane):
    """Empty until it is turned to: to make all pages at once would hold f2 up."""

    def __init__(self, title: str, make: Callable[[], Widget], name: str) -> None:
        super().__init__(title, id=name)
        self._make = make
        self._filled = False

    async def fill(self) -> None:
        """Make the widgets, unless they are there."""
        if not self._filled:
            self._filled = True
            await self.mount(self._make())
