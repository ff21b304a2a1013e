"""The side: all conversations, and a search over what was said in them."""

from __future__ import annotations

import asyncio

from textual import work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from assistant.errors import AssistantError
from assistant.history.conversations import History
from tui.sizes import NARROW
from tui.widgets.conversations import ConversationList
from tui.widgets.hits import HitList
from tui.widgets.search_line import SearchLine

PAUSE_SECONDS = 0.05
"""Keys that follow each other faster make one search."""


class Sidebar(Vertical):
    """The conversations, or while one searches what was found."""

    def __init__(self, history: History) -> None:
        super().__init__(id="sidebar")
        self._history = history
        self.hits = HitList()
        self.line = SearchLine(self.hits)
        self.list = ConversationList(history)

    def compose(self) -> ComposeResult:
        yield self.line
        yield self.list
        yield self.hits

    def on_mount(self) -> None:
        self.hits.display = False

    def show(self, current: int | None) -> None:
        """Read the conversations anew.

        Raises: AssistantError: they cannot be read.
        """
        self.list.show(current)

    def enter(self) -> None:
        """Take the focus: to the list, or to the search that goes on."""
        self.display = True
        (self.line if self.hits.display else self.list).focus()

    def search(self, words: str) -> None:
        """Begin to search for words, or go on with the last query."""
        self.display = True
        if words:
            self.line.value = " ".join(words.split())
        # At once: what is typed next belongs there.
        self.screen.set_focus(self.line)

    def give_way(self) -> None:
        """Make room for the chat where there is none for both."""
        if self.app.size.width < NARROW:
            self.display = False

    def uncover(self) -> None:
        """A search that covers the chat gives way to it."""
        if self.hits.display:
            self.give_way()

    def on_resize(self) -> None:
        if not self.has_focus_within:
            self.uncover()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._search(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value != self.hits.query_shown:
            self._find(event.value)
        self.hits.action_select()

    @work(exclusive=True, group="search")
    async def _search(self, query: str) -> None:
        if query.strip():
            await asyncio.sleep(PAUSE_SECONDS)
        self._find(query)

    def _find(self, query: str) -> None:
        searching = bool(query.strip())
        self.set_class(searching, "-searching")
        self.hits.display, self.list.display = searching, not searching
        try:
            self.hits.show(query, self._history.search(query) if searching else [])
        except AssistantError as error:
            self.hits.say(query, f"✗ {error}", "$text-error")

    def on_search_line_left(self) -> None:
        self.line.clear()
        self._find("")
        self.list.focus()
