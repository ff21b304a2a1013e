"""A dialog that asks for the path of a file."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui.hints import Hint
from tui.path_suggester import PathSuggester, expanded
from tui.text import literal


class PathModal(ModalScreen[Path | None]):
    """One path, completed as it is typed; closes with it, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", id="path.cancel")]

    def __init__(self, title: str, question: str, path: str = "") -> None:
        super().__init__()
        self._title = title
        self._question = question
        self._path = path

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(literal(self._title), classes="title")
            yield Static(literal(self._question), classes="question")
            yield Input(self._path, suggester=PathSuggester(), select_on_focus=False, compact=True)
            yield Hint("enter takes it · → completes the path · {path.cancel} cancels", classes="hint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self.dismiss(expanded(event.value))

    def action_cancel(self) -> None:
        self.dismiss(None)
