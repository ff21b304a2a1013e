"""A program and its terminal: what draws, the clipboard, and calling a person who looks elsewhere."""

from __future__ import annotations

import os

from textual.driver import Driver
from textual.widgets import Input, TextArea

from tui.attention import call_sequence
from tui.clipboard import clipboard_tool, hand_over
from tui.driver import that_wakes
from tui.hints import KeyedApp


class TerminalApp(KeyedApp):
    """An app that is at home in a terminal."""

    def get_driver_class(self) -> type[Driver]:
        """What writes to the terminal and reads the keys."""
        return that_wakes(super().get_driver_class())

    def call_person(self, text: str) -> None:
        """Tell a person whose window is not in front that something is done."""
        if not self.app_focus and self._driver is not None:
            self._driver.write(call_sequence(text, os.environ))

    def copy_to_clipboard(self, text: str) -> None:
        """Copy by the terminal, and by the system's own program where there is one."""
        super().copy_to_clipboard(text)
        if (command := clipboard_tool(os.environ)) is not None:
            self.run_worker(hand_over(text, command), group="clipboard")

    @property
    def selected_text(self) -> str:
        """What is selected, in a field or on the screen."""
        if isinstance(self.focused, TextArea | Input) and self.focused.selected_text:
            return self.focused.selected_text
        return self.screen.get_selected_text() or ""
