"""What changed between two versions, to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.hints import Hint
from tui.text import literal

STYLES = {"+ ": "$text-success", "- ": "$text-error", "≠ ": "bold"}


class ComparisonModal(ModalScreen[None]):
    """Lines that begin with +, - or ≠ where something changed; the signs tell it, colours only help."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "close", "Close", id="comparison.close")]

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__()
        self._lines = lines

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog -large"):
            with VerticalScroll():
                yield Static(Content("\n").join(literal(line, STYLES.get(line[:2], "")) for line in self._lines))
            yield Hint("{comparison.close} closes", classes="hint")

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_close(self) -> None:
        self.dismiss(None)
