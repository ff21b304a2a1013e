"""Messages that were sent while a reply is written: they wait above the prompt, and can be taken back."""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content
from textual.widgets import Static

from assistant.visible import one_line
from tui.hints import with_keys
from tui.text import literal

SHOWN = 4
WIDTH = 300


@dataclass(frozen=True, slots=True)
class WaitingMessage:
    """A text, and where it belongs."""

    conversation_id: int
    text: str


class WaitingMessages(Static):
    """Keeps them in their order; those of the shown conversation are seen."""

    DEFAULT_CSS = """
    WaitingMessages { display: none; height: auto; color: $text-muted; text-style: italic;
        text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__(classes="notice")
        self.styles.margin = (0, 2)
        self._waiting: list[WaitingMessage] = []
        self._shown: int | None = None

    def show(self, conversation_id: int | None) -> None:
        """Show those of a conversation."""
        self._shown = conversation_id
        texts = self.texts(conversation_id)
        self.display = bool(texts)
        self.set_class(bool(texts), "-queued")
        lines = [literal(f"❯ {one_line(text, WIDTH)}") for text in texts[-SHOWN:]]
        if older := len(texts) - len(lines):
            lines.insert(0, Content(f"❯ {older} more"))
        if lines:
            said = (
                "waits · {prompt.older} takes it back"
                if len(texts) == 1
                else "wait · {prompt.older} takes the last one back"
            )
            lines.append(Content.styled(with_keys(self, said), "dim"))
        self.update(Content("\n").join(lines))

    def add(self, conversation_id: int, text: str) -> None:
        """Let a message wait."""
        self._waiting.append(WaitingMessage(conversation_id, text))
        self.show(self._shown)

    def next(self) -> WaitingMessage | None:
        """The one whose turn it is, which no longer waits; None where none does."""
        first = self._waiting.pop(0) if self._waiting else None
        self.show(self._shown)
        return first

    def take_back(self) -> str | None:
        """The last one of the shown conversation, which no longer waits; None where none does."""
        last = next((one for one in reversed(self._waiting) if one.conversation_id == self._shown), None)
        if last is None:
            return None
        self._waiting.remove(last)
        self.show(self._shown)
        return last.text

    def drop(self, conversation_id: int) -> list[str]:
        """What waits in a conversation, which no longer does."""
        texts = self.texts(conversation_id)
        self._waiting = [one for one in self._waiting if one.conversation_id != conversation_id]
        self.show(self._shown)
        return texts

    def texts(self, conversation_id: int | None) -> list[str]:
        """What waits in a conversation."""
        return [one.text for one in self._waiting if one.conversation_id == conversation_id]
