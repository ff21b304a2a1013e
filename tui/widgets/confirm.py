"""A question with two answers; the safe one has the focus."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from tui.hints import keys_of
from tui.text import literal


class ConfirmModal(ModalScreen[bool]):
    """Asks before something is lost; closes with True only for the named action."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No", id="confirm.no"),
        Binding("y", "answer(True)", "Yes", id="confirm.yes"),
        Binding("left,right", "app.focus_next", show=False, id="confirm.move"),
    ]

    def __init__(self, question: str, action: str, keep: str = "Keep") -> None:
        super().__init__()
        self._question = question
        self._action = action
        self._keep = keep

    def compose(self) -> ComposeResult:
        keys = keys_of(self)
        with Vertical(classes="dialog"):
            yield Static(literal(self._question), classes="question")
            with Horizontal(classes="buttons"):
                yield Button(literal(f"{self._keep} [{keys['confirm.no']}]"), id="keep")
                yield Button(literal(f"{self._action} [{keys['confirm.yes']}]"), id="act", variant="error")

    def on_mount(self) -> None:
        self.query_one("#keep", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "act")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)
