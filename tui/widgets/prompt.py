"""Where the person writes: grows with the text, enter sends."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from assistant.history.pastes import Pastes
from assistant.visible import sanitise
from tui.widgets.pasting import PastingArea

ANEW = frozenset({"chat.new", "compare.new"})
"""What is typed after these belongs to another prompt than what was typed before."""


class Prompt(PastingArea):
    """The text to send. Pasted control characters become visible before they get in."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Send", id="prompt.send"),
        Binding("shift+enter,ctrl+j", "newline", "New line", show=False, id="prompt.newline"),
        Binding("pageup", "screen.page(-1)", "Scroll up", show=False, id="prompt.page_up"),
        Binding("pagedown", "screen.page(1)", "Scroll down", show=False, id="prompt.page_down"),
    ]
    OWN_ACTIONS: ClassVar[frozenset[str]] = frozenset({"submit", "newline"})
    """Done before the text area sees the key."""

    class Submitted(Message):
        """The person sends a text."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class LeftUpwards(Message):
        """The person wants to go up, out of the prompt."""

    def __init__(self, pastes: Pastes) -> None:
        super().__init__(
            pastes,
            placeholder="Write a message",
            highlight_cursor_line=False,
            show_line_numbers=False,
            soft_wrap=True,
            compact=True,
            id="prompt",
        )

    def action_submit(self) -> None:
        """Send what is written, if it is more than blanks."""
        text = self.text.strip()
        if text:
            self.clear()
            self.post_message(self.Submitted(text))

    def action_newline(self) -> None:
        """Begin a new line."""
        self.insert("\n")

    def action_cursor_up(self, select: bool = False) -> None:
        """Move up, or out to the messages from an empty prompt."""
        if not self.text and not select:
            self.post_message(self.LeftUpwards())
        else:
            super().action_cursor_up(select)

    async def _on_key(self, event: events.Key) -> None:
        # Not priority bindings: those would overtake the letters typed just before them.
        if event.is_printable:
            return
        active = self.screen.active_bindings.get(event.key)
        if active is None:
            return
        own = active.node is self and active.binding.action in self.OWN_ACTIONS
        if own or (active.enabled and active.binding.id in ANEW):
            event.prevent_default()
            event.stop()
            await self.app.run_action(active.binding.action, active.node)

    async def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        event.text = sanitise(event.text.replace("\r\n", "\n").replace("\r", "\n"))
        await super()._on_paste(event)
