"""What a search found: where, and the words around it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from assistant.records import SearchHit
from assistant.visible import one_line
from tui.text import literal

MARK = "bold underline $text-accent"
WHO = {"user": "you", "assistant": "reply", "system": "system", None: "title"}
TITLE_WIDTH = 24


class HitList(OptionList, can_focus=False):
    """Places that a query was found in; the search line above moves and chooses."""

    class Chosen(Message):
        """A place is to be shown."""

        def __init__(self, hit: SearchHit) -> None:
            super().__init__()
            self.hit = hit

    def __init__(self) -> None:
        super().__init__(id="hits")
        self.query_shown = ""
        self._hits: list[SearchHit] = []

    def show(self, query: str, hits: list[SearchHit]) -> None:
        """Show what a query found, the best on top."""
        if not hits:
            self.say(query, "Nothing found.", "dim")
            return
        self.query_shown, self._hits = query, hits
        self.set_options([Option(_entry(hit), id=str(place)) for place, hit in enumerate(hits)])
        self.highlighted = 0

    def say(self, query: str, text: str, style: str) -> None:
        """Say in a line why a query shows no place."""
        self.query_shown, self._hits = query, []
        self.set_options([Option(literal(text, style), disabled=True)])

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Chosen(self._hits[event.option_index]))


def _entry(hit: SearchHit) -> Content:
    """Who said it, in which conversation and when; below it the words around what was found."""
    title = one_line(hit.title, TITLE_WIDTH)
    when = hit.created_at.astimezone().strftime("%Y-%m-%d")
    parts = [WHO[hit.role], *([title] if hit.message_id is not None and title else []), when]
    return Content("\n").join([Content.styled(" · ".join(parts), "dim"), marked(hit.snippet, hit.marks)])


def marked(text: str, marks: Sequence[tuple[int, int]]) -> Content:
    """A text with stretches (start, end) told by weight and line, not by colour alone."""
    parts: list[Content] = []
    at = 0
    for start, end in marks:
        parts += [literal(text[at:start]), literal(text[start:end], MARK)]
        at = end
    return Content.assemble(*parts, literal(text[at:]))
