"""The prompt of the chat: slash commands with completion, earlier prompts, another editor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from assistant.history.pastes import Pastes
from tui.prompting.completion import Completion
from tui.prompting.past import Past
from tui.prompting.slash import Unknown, read
from tui.widgets.prompt import Prompt

UNMARKED = -1


class ChatPrompt(Prompt):
    """Offers how a command can go on, and goes back through what was sent."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete a command", show=False, id="prompt.complete"),
        Binding(
            "up",
            "older",
            "Earlier prompts",
            tooltip="In an empty prompt: what waits to be sent, then earlier prompts",
            show=False,
            id="prompt.older",
        ),
        Binding("down", "newer", "Later prompts", show=False, id="prompt.newer"),
        Binding("shift+tab", "leave", "Messages", tooltip="To the last message", show=False, id="prompt.messages"),
        Binding("ctrl+g", "editor", "Editor", tooltip="Write in $VISUAL or $EDITOR", show=False, id="prompt.editor"),
    ]
    OWN_ACTIONS: ClassVar[frozenset[str]] = Prompt.OWN_ACTIONS | {"complete"}

    class Offered(Message):
        """What can be chosen has changed."""

        def __init__(self, choices: Sequence[Completion], chosen: int) -> None:
            super().__init__()
            self.choices = choices
            self.chosen = chosen

    class NotKnown(Message):
        """The person wrote a command that there is none of; the text is kept."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    class EditorAsked(Message):
        """The person wants to write in another editor."""

    def __init__(
        self,
        pastes: Pastes,
        complete: Callable[[str], list[Completion]],
        sent: Callable[[], list[str]],
        take_back: Callable[[], str | None],
    ) -> None:
        """`complete` a text, `sent` texts, the oldest first, `take_back` what waits to be sent."""
        super().__init__(pastes)
        self._complete = complete
        self._take_back = take_back
        self._past = Past(sent)
        self._choices: list[Completion] = []
        self._chosen = 0
        self._considered = ("", False)
        self._closed_for: str | None = None

    def put(self, text: str) -> None:
        """Replace the text, without a list of completions; ctrl+z brings the old one back."""
        self._closed_for = text
        self.replace(text, self.document.start, self.document.end)
        self.move_cursor(self.document.end)
        self.reconsider()

    def reconsider(self) -> None:
        """Bring the completions up to the text."""
        text = self.text
        closed = text == self._closed_for
        if (text, closed) == self._considered:
            return
        self._considered = (text, closed)
        self._closed_for = text if closed else None
        self._choices = [] if closed else self._complete(text)
        # What is a command as it stands is sent as it stands.
        self._chosen = 0 if isinstance(read(text), Unknown) else UNMARKED
        self.post_message(self.Offered(self._choices, self._chosen))

    def take(self, place: int) -> None:
        """Put a completion into the text."""
        if 0 <= place < len(self._choices):
            text = self._choices[place].text
            self.replace(text, self.document.start, self.document.end)
            self.move_cursor(self.document.end)
            self.reconsider()

    def action_complete(self) -> None:
        """Take the completion that is marked; without one the focus goes on."""
        self.reconsider()
        if self._choices:
            self.take(max(0, self._chosen))
        else:
            self.screen.focus_next()

    def action_submit(self) -> None:
        """Send what is written; of a command that is not whole, the marked completion first."""
        self.reconsider()
        if self._choices and self._chosen != UNMARKED:
            self.take(self._chosen)
            if self.text.endswith(" "):
                return
        text = self.text
        if not text.strip():
            return
        if isinstance(found := read(text), Unknown):
            self.post_message(self.NotKnown(found.name))
            return
        self._past.leave()
        self.clear()
        self.reconsider()
        self.post_message(self.Submitted(text))

    def action_older(self) -> None:
        """Mark the completion above, take back what waits, recall an earlier prompt, or move up in the text."""
        self.reconsider()
        if self._choices:
            self._mark(-1)
        elif not self.text and self._past.recalled is None and (waiting := self._take_back()) is not None:
            self.put(waiting)
        elif not self._unchanged() or not self._at_top():
            super().action_cursor_up()
        elif (text := self._past.older()) is not None:
            self.put(text)
            self.move_cursor((0, len(self.document.get_line(0))))
        elif not self.text:
            self.action_leave()

    def action_newer(self) -> None:
        """Mark the completion below, recall a later prompt, or move down in the text."""
        self.reconsider()
        if self._choices:
            self._mark(1)
        elif self._past.recalled is not None and self._unchanged() and self._at_bottom():
            self.put(self._past.newer())
        else:
            self.action_cursor_down()

    def action_leave(self) -> None:
        """Go up to the messages."""
        self.post_message(self.LeftUpwards())

    def action_editor(self) -> None:
        """Ask for another editor."""
        self.post_message(self.EditorAsked())

    def _mark(self, step: int) -> None:
        self._chosen = (max(self._chosen, 0 if step < 0 else UNMARKED) + step) % len(self._choices)
        self.post_message(self.Offered(self._choices, self._chosen))

    def _unchanged(self) -> bool:
        recalled = self._past.recalled
        if recalled is not None and self.text != recalled:
            self._past.leave()
        return self.text == (self._past.recalled or "")

    def _at_top(self) -> bool:
        return bool(self.wrapped_document.location_to_offset(self.cursor_location).y == 0)

    def _at_bottom(self) -> bool:
        return bool(
            self.wrapped_document.location_to_offset(self.cursor_location).y == self.wrapped_document.height - 1
        )

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "escape":
            self.reconsider()
            if self._choices:
                event.prevent_default()
                event.stop()
                self._closed_for = self.text
                self.reconsider()
                return
        await super()._on_key(event)
