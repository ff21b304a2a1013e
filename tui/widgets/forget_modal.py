"""The question before something is forgotten for good: what goes, and what becomes of what learned from it."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from assistant.records import Forgotten
from tui.hints import with_keys
from tui.moving_words import forecast_lines, versions_words
from tui.text import literal

Answer = Literal["keep", "stale", "remove"]
FATES = {False: "○ They stay, marked as stale [{forget.versions}]", True: "● They are removed too [{forget.versions}]"}
"""What becomes of the profile versions, by whether they are to be removed."""


class ForgetModal(ModalScreen[Answer]):
    """Closes with what is to become of the profile versions, or "keep" where nothing is to be forgotten."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "keep", "Keep", id="forget.keep"),
        Binding("y", "forget", "Forget", id="forget.forget"),
        Binding("v", "toggle_versions", "Versions", id="forget.versions"),
    ]

    def __init__(self, expected: Forgotten) -> None:
        super().__init__()
        self._expected = expected
        self._remove = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Forget for good", classes="title")
            lines = forecast_lines(self._expected)
            if self._expected.profiles:
                lines.append(versions_words(self._expected))
            yield Static(literal("\n".join(lines)), classes="question")
            if self._expected.profiles:
                yield Button(literal(with_keys(self, FATES[False])), id="fate", compact=True)
            with Horizontal(classes="buttons"):
                yield Button(literal(with_keys(self, "Keep [{forget.keep}]")), id="keep")
                yield Button(literal(with_keys(self, "Forget for good [{forget.forget}]")), id="act", variant="error")

    def on_mount(self) -> None:
        self.query_one("#keep", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        match event.button.id:
            case "act":
                self.action_forget()
            case "fate":
                self.action_toggle_versions()
            case _:
                self.action_keep()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Ask about versions only where some learned from it."""
        return bool(self._expected.profiles) if action == "toggle_versions" else True

    def action_keep(self) -> None:
        """Forget nothing."""
        self.dismiss("keep")

    def action_forget(self) -> None:
        """Forget it."""
        self.dismiss("remove" if self._remove else "stale")

    def action_toggle_versions(self) -> None:
        """Mark the versions as stale, or remove them."""
        self._remove = not self._remove
        self.query_one("#fate", Button).label = literal(with_keys(self, FATES[self._remove]))
