"""A text area that tells what is pasted into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from textual import events
from textual.widgets import TextArea
from textual.widgets.text_area import Edit, EditResult, Selection

from assistant.history.pastes import Pastes


class PastingArea(TextArea):
    """Tells `pastes` what comes in by the terminal's paste or by the paste key, and what is taken out."""

    def __init__(self, pastes: Pastes, text: str = "", **options: Any) -> None:
        super().__init__(text, **options)
        self._pastes = pastes

    def edit(self, edit: Edit) -> EditResult:
        """Change the text; what a person cut out of it is theirs when they paste it again."""
        result = super().edit(edit)
        self._pastes.removed(result.replaced_text)
        return result

    def undo(self) -> None:
        """Take the last edits back."""
        with self._cursor_anywhere():
            super().undo()

    def redo(self) -> None:
        """Make the edits again that were taken back."""
        with self._cursor_anywhere():
            super().redo()

    @contextmanager
    def _cursor_anywhere(self) -> Iterator[None]:
        """Have the cursor where every document has a place.

        Textual moves it only after it has drawn the shorter text, and looks for the line in which it was.
        """
        selection, text = self.selection, self.text
        self.selection = Selection.cursor((0, 0))
        yield
        if self.text == text:
            self.selection = selection

    def action_paste(self) -> None:
        """Paste what was copied in this program."""
        if not self.read_only:
            self._pastes.pasted(self.app.clipboard, into=self.text)
        super().action_paste()

    async def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        if not self.read_only:
            self._pastes.pasted(event.text, into=self.text)
        await super()._on_paste(event)
