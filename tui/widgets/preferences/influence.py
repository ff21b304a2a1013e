"""What moved the vector most: the texts, how far each one's absence would turn it, and a key that takes one out."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable

from assistant.profile.influence import Influential, influential
from assistant.profile.preferences import Preferences
from assistant.records import Outcome
from assistant.visible import one_line
from tui.hints import Hint, with_keys
from tui.telling import telling
from tui.widgets.preferences.sources import SOURCES

ROWS, BAR_CELLS, NOTE_WIDTH, TEXT_WIDTH = 10, 10, 16, 90


class InfluenceTable(Vertical):
    """Texts by what they did to the vector; enter opens one, x takes it out or back in."""

    DEFAULT_CSS = """
    InfluenceTable { height: auto; }
    InfluenceTable DataTable { height: auto; max-height: 11; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,w", "open", "Open the text", id="influence.open"),
        Binding("x", "take_out", "Take out or back in", id="influence.toggle"),
    ]

    class Opened(Message):
        """The person wants to see a text."""

        def __init__(self, item_id: str) -> None:
            super().__init__()
            self.item_id = item_id

    class Changed(Message):
        """A text was taken out or back in."""

    def __init__(self, preferences: Preferences) -> None:
        super().__init__()
        self._preferences = preferences
        self._outcome: Outcome | None = None
        self._found: list[Influential] = []

    def compose(self) -> ComposeResult:
        yield Hint("Moved the vector most · {influence.open}: open · {influence.toggle}: take it out", classes="title")
        yield DataTable[Content](cursor_type="row", id="influence")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_column("Share", width=BAR_CELLS + 7)
        table.add_column("", width=NOTE_WIDTH)
        table.add_column("From", width=7)
        table.add_column("Text", width=TEXT_WIDTH)

    def on_show(self) -> None:
        """A text may have been taken out elsewhere."""
        if self._outcome is not None:
            self.show(self._outcome)

    def show(self, outcome: Outcome) -> None:
        """Show the texts that the version hangs on most; nothing where none is known."""
        self._outcome = outcome
        with telling(self):
            self._found = influential(outcome, self._preferences.items())[:ROWS]
        self.display = bool(self._found)
        table = self.query_one(DataTable)
        row = table.cursor_row
        table.clear()
        for one in self._found:
            table.add_row(*_cells(one, self._found[0].share))
        table.move_cursor(row=row)

    def _current(self) -> Influential | None:
        row = self.query_one(DataTable).cursor_row
        return self._found[row] if 0 <= row < len(self._found) else None

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_open()

    def action_open(self) -> None:
        """Go to the text."""
        if one := self._current():
            self.post_message(self.Opened(one.item_id))

    def action_take_out(self) -> None:
        """Leave the text out of the next rebuild, or take that back."""
        one = self._current()
        if one is None or self._outcome is None:
            return
        with telling(self):
            if one.excluded:
                self._preferences.include(one.item_id)
            else:
                self._preferences.exclude(one.item_id)
                self.notify(
                    with_keys(self, "The next rebuild goes without this text; {settings.rebuild} rebuilds."), timeout=3
                )
            self.show(self._outcome)
            self.post_message(self.Changed())


def _cells(one: Influential, largest: float) -> tuple[Content, ...]:
    filled = max(1, round(BAR_CELLS * one.share / largest))
    share = Content.assemble(("█" * filled + " " * (BAR_CELLS - filled), "$accent"), f" {one.share:6.1%}")
    note = Content.styled(f"▲ {one.times_mean:.1f} × the mean", "$text-warning") if one.stands_out else Content("")
    return (
        share,
        Content.styled("○ taken out", "$text-warning") if one.excluded else note,
        Content(SOURCES[one.source]),
        Content.styled(one_line(one.text, TEXT_WIDTH), "strike dim" if one.excluded else ""),
    )
