"""The line that one searches from; what is found stands below it."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input

from tui.hints import with_keys
from tui.widgets.hits import HitList


class SearchLine(Input):
    """Keeps the focus while one moves through what was found."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Open", id="search.open"),
        Binding("down", "move(1)", "Next", show=False, id="search.next"),
        Binding("up", "move(-1)", "Previous", show=False, id="search.previous"),
        Binding("escape", "leave", "End the search", id="search.leave"),
    ]

    class Left(Message):
        """The search is over."""

    def __init__(self, hits: HitList) -> None:
        super().__init__(compact=True, id="search")
        self._hits = hits

    def on_mount(self) -> None:
        self.name_keys()

    def name_keys(self) -> None:
        self.placeholder = with_keys(self, "{chat.search_by_slash} searches everything")

    def action_move(self, step: int) -> None:
        """Go to the next or previous place."""
        if step > 0:
            self._hits.action_cursor_down()
        else:
            self._hits.action_cursor_up()

    def action_leave(self) -> None:
        """End the search."""
        self.post_message(self.Left())
