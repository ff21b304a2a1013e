"""A dialog with one text to write or change."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static, TextArea

from assistant.history.pastes import Pastes
from assistant.visible import sanitise
from tui.hints import Hint
from tui.text import literal
from tui.widgets.confirm import ConfirmModal
from tui.widgets.pasting import PastingArea


class TextModal(ModalScreen[str | None]):
    """Several lines of text; closes with the new text, or None where nothing shall change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", id="edit.save"),
        Binding("escape", "cancel", "Cancel", id="edit.cancel"),
    ]

    def __init__(self, title: str, text: str = "", pastes: Pastes | None = None, *, may_be_empty: bool = False) -> None:
        """`pastes`: who is told what is pasted, where that matters."""
        super().__init__()
        self._may_be_empty = may_be_empty
        self._title = title
        self._text = sanitise(text)
        self._pastes = pastes or Pastes()

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -large"):
            yield Static(literal(self._title), classes="title")
            yield PastingArea(self._pastes, self._text, highlight_cursor_line=False)
            yield Hint("{edit.save} saves · {edit.cancel} cancels", classes="hint")

    def on_mount(self) -> None:
        area = self.query_one(TextArea)
        area.focus()
        area.move_cursor(area.document.end)

    def action_save(self) -> None:
        """Close with the text; an unchanged one changes nothing, nor does an empty one where there must be some."""
        text = self.query_one(TextArea).text
        self.dismiss(text if (text.strip() or self._may_be_empty) and text != self._text else None)

    @work
    async def action_cancel(self) -> None:
        """Close without the text, after a question where that would lose something."""
        if self.query_one(TextArea).text != self._text:
            question = "Your changes are not saved."
            if not await self.app.push_screen_wait(ConfirmModal(question, "Discard", "Go on editing")):
                return
        self.dismiss(None)


class LineModal(ModalScreen[str | None]):
    """One line of text; closes with it, or None where nothing shall change."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", id="line.cancel")]

    def __init__(self, title: str, text: str = "", *, may_be_empty: bool = False) -> None:
        super().__init__()
        self._may_be_empty = may_be_empty
        self._title = title
        self._text = " ".join(sanitise(text).split())

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(literal(self._title), classes="title")
            yield Input(self._text, select_on_focus=False)
            yield Hint("enter saves · {line.cancel} cancels", classes="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        self.dismiss(text if (text or self._may_be_empty) and text != self._text else None)

    def action_cancel(self) -> None:
        self.dismiss(None)
