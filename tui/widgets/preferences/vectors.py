"""Imported vectors: which of them steer, how strongly, and a way to add one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import DataTable, Input

from assistant.figures import count
from assistant.profile.vectors import MAX_STRENGTH, MIN_STRENGTH, ImportedVector, Vectors
from assistant.visible import one_line
from tui.hints import Hint
from tui.telling import telling
from tui.widgets.confirm import ConfirmModal

NAME_WIDTH, NOTE_WIDTH = 16, 60
COLUMNS = (("Name", NAME_WIDTH), ("", 5), ("Strength", 7), ("", NOTE_WIDTH))
TITLE, KEYS = (
    "Imported vectors",
    " · {vectors.toggle}: on or off · {vectors.up} {vectors.down}: strength · {vectors.remove}: remove",
)
STEPS_OF_ONE = 10


class VectorsSection(Vertical):
    """Control vectors made elsewhere, added to what was learned."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_vector", "Vector on/off", id="vectors.toggle"),
        # The title names them; shown below too, they would push "Back" out of a line of 80 characters.
        Binding("minus", "weigh(-1)", "Weaker", show=False, id="vectors.down"),
        Binding("plus", "weigh(1)", "Stronger", show=False, id="vectors.up"),
        Binding("d,delete", "remove_vector", "Remove", show=False, id="vectors.remove"),
    ]

    def __init__(self, vectors: Vectors) -> None:
        super().__init__()
        self._vectors = vectors
        self._shown: list[ImportedVector] = []

    def compose(self) -> ComposeResult:
        yield Hint(classes="title", id="vectors-title")
        yield DataTable[Content](cursor_type="row", show_header=False, id="vectors")
        yield Input(placeholder="path of a control vector (.gguf), enter adds it", compact=True, id="vector-path")

    def on_mount(self) -> None:
        for title, width in COLUMNS:
            self.query_one(DataTable).add_column(title, width=width)
        self.show_vectors()

    def show_vectors(self) -> None:
        """Read the vectors anew."""
        with telling(self):
            self._shown = self._vectors.list()
        table = self.query_one(DataTable)
        row = table.cursor_row
        table.clear()
        for vector in self._shown:
            table.add_row(*_cells(vector))
        table.move_cursor(row=row)
        table.display = bool(self._shown)
        self.query_one("#vectors-title", Hint).say(TITLE + KEYS if self._shown else TITLE)

    def _current(self) -> ImportedVector | None:
        table = self.query_one(DataTable)
        return self._shown[table.cursor_row] if table.has_focus and table.cursor_row < len(self._shown) else None

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if not event.value.strip():
            return
        with telling(self):
            self._vectors.add(Path(os.path.expanduser(event.value.strip())))  # noqa: PTH111  # raises for no user
            event.input.clear()
        self.show_vectors()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_toggle_vector()

    def action_toggle_vector(self) -> None:
        """Switch the current vector on or off."""
        if vector := self._current():
            with telling(self):
                self._vectors.set_enabled(vector.name, not vector.enabled)
            self.show_vectors()

    def action_weigh(self, step: int) -> None:
        """Change the strength of the current vector by a tenth."""
        if vector := self._current():
            strength = round(vector.strength * STEPS_OF_ONE + step) / STEPS_OF_ONE
            with telling(self):
                self._vectors.set_strength(vector.name, min(MAX_STRENGTH, max(MIN_STRENGTH, strength)))
            self.show_vectors()

    @work
    async def action_remove_vector(self) -> None:
        """Erase the current vector, after a question."""
        vector = self._current()
        if vector is None:
            return
        question = f"Erase the imported vector “{vector.name}”? This cannot be undone."
        if await self.app.push_screen_wait(ConfirmModal(question, "Erase")):
            with telling(self):
                self._vectors.remove(vector.name)
            self.show_vectors()


def _cells(vector: ImportedVector) -> tuple[Content, ...]:
    state = Content.styled("● on", "$text-success") if not vector.why_off else Content.styled("○ off", "dim")
    made = ", ".join(part for part in (one_line(vector.architecture, 18), count(len(vector.blocks), "block")) if part)
    problem = one_line(vector.problem, NOTE_WIDTH)
    note = Content.styled(problem, "$text-warning") if problem else Content.styled(made, "dim")
    return (Content(one_line(vector.name, NAME_WIDTH)), state, Content(f"× {vector.strength:g}"), note)
