"""All models in one table, the largest part of the models screen."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.events import Resize
from textual.widgets import DataTable

from assistant.visible import one_line
from tui.widgets.models.rows import Here, Offered, Row, cells

FIXED = (1, 7, 5, 28)
GAPS = 12
LEAST_NAME, MOST_NAME = 16, 60


class ModelTable(DataTable[Content]):
    """A line for each model; the one under the cursor is `current`."""

    def __init__(self) -> None:
        super().__init__(cursor_type="row", id="models")
        self._rows: list[Row] = []

    def on_resize(self, event: Resize) -> None:
        self.show_rows(self._rows)

    @property
    def current(self) -> Row | None:
        """The model under the cursor."""
        return self._rows[self.cursor_row] if 0 <= self.cursor_row < len(self._rows) else None

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Draw them; the cursor stays on its model, or begins on the one in use."""
        before = _key(self.current) if self.current else None
        self._rows = list(rows)
        name = max(LEAST_NAME, min(MOST_NAME, self.size.width - sum(FIXED) - GAPS))
        self.clear(columns=True)
        mark, size, window, words = FIXED
        for title, width in (("", mark), ("Model", name), ("Size", size), ("Window", window + 1), ("", words)):
            self.add_column(title, width=width)
        for row in self._rows:
            self.add_row(*_drawn(row, name))
        keys = [_key(row) for row in self._rows]
        at = keys.index(before) if before in keys else next((n for n, row in enumerate(rows) if _used(row)), 0)
        self.move_cursor(row=at)


def _used(row: Row) -> bool:
    return isinstance(row, Here) and row.in_use


def _key(row: Row) -> tuple[str, str]:
    return type(row).__name__, cells(row)[1]


def _drawn(row: Row, name_width: int) -> list[Content]:
    mark, name, size, window, words = cells(row)
    style = "bold" if _used(row) else "dim" if isinstance(row, Offered) and not row.advice.fits else ""
    drawn = (mark, one_line(name, name_width), f"{size:>7}", f"{window:>5}", one_line(words, FIXED[-1]))
    return [Content.styled(text, style) if style else Content(text) for text in drawn]
