"""The list of conversations: pinned ones first, archived ones on a key."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from assistant.history.conversations import History
from assistant.records import Conversation
from assistant.visible import one_line
from tui.hints import with_keys
from tui.telling import telling

WIDTH = 22
UNTITLED = "New chat"
DRAWN = 1000
"""Lines that are drawn, in about 30 ms; what is further down is found by searching."""

Wish = Literal["rename", "pin", "archive", "tag", "export", "delete", "forget"]


class ConversationList(OptionList):
    """Conversations, last used first; the one that is open carries a mark."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False, id="sidebar.down"),
        Binding("k", "cursor_up", "Up", show=False, id="sidebar.up"),
        Binding("r", "ask('rename')", "Rename", id="sidebar.rename"),
        Binding("p", "ask('pin')", "Pin", tooltip="Keep at the head of the list, or no longer", id="sidebar.pin"),
        Binding("t", "ask('tag')", "Tags", id="sidebar.tags"),
        Binding("a", "ask('archive')", "Archive", tooltip="Out of the list, or back into it", id="sidebar.archive"),
        Binding("A", "toggle_archived", "Archived", tooltip="Show archived ones, or the others", id="sidebar.archived"),
        Binding("delete,d", "ask('delete')", "Delete", key_display="d", id="sidebar.delete"),
        Binding("x", "ask('export')", "Export", tooltip="Write it to a file", show=False, id="sidebar.export"),
        Binding(
            "F",
            "ask('forget')",
            "Forget",
            tooltip="Forget it for good, with all that came from it",
            show=False,
            id="sidebar.forget",
        ),
        Binding("u", "undo", "Undo", tooltip="Take the last deletion back", id="sidebar.undo"),
    ]

    class Opened(Message):
        """A conversation was chosen."""

        def __init__(self, conversation_id: int) -> None:
            super().__init__()
            self.conversation_id = conversation_id

    class Asked(Message):
        """A key asked for something to be done with a conversation."""

        def __init__(self, conversation: Conversation, wish: Wish) -> None:
            super().__init__()
            self.conversation = conversation
            self.wish = wish

    class UndoAsked(Message):
        """The person wants the last deletion taken back."""

    def __init__(self, history: History) -> None:
        super().__init__(id="conversations")
        self._history = history
        self._conversations: dict[str, Conversation] = {}
        self._current = ""
        self._archived = False
        self._undoable = False
        self._drawn: list[tuple[str, Content]] = []

    def show(self, current: int | None) -> None:
        """Read the list anew, keeping the highlighted line or its place."""
        key, place = self._highlighted_key(), self.highlighted
        self._current = str(current)
        found = self._history.conversations(archived=self._archived)
        self._undoable = bool(self._history.deleted())
        self._conversations = {str(one.id): one for one in found[:DRAWN]}
        lines = [*self._head(), *((key, _line(one, key == self._current)) for key, one in self._conversations.items())]
        if older := len(found) - len(self._conversations):
            lines.append(
                ("", Content.styled(with_keys(self, f"  {older:,} older: {{chat.search_by_slash}} searches"), "dim"))
            )
        if lines != self._drawn:
            self._drawn = lines
            self.set_options([Option(line, id=key or None, disabled=not key) for key, line in lines])
        if self.has_focus and not self._highlight(key):
            self.highlighted = None if place is None else min(place, self.option_count - 1)
        elif not self.has_focus:
            self._highlight(self._current)
        self.refresh_bindings()

    def _head(self) -> list[tuple[str, Content]]:
        lines = [with_keys(self, "Archived · {sidebar.archived}: back")] if self._archived else []
        if not self._conversations:
            lines.append("  none archived" if self._archived else "  none yet")
        return [("", Content.styled(line, "dim")) for line in lines]

    def _highlight(self, key: str) -> bool:
        if key in self._conversations:
            self.highlighted = self.get_option_index(key)
        return key in self._conversations

    def on_focus(self) -> None:
        if not self._highlight(self._highlighted_key()):
            self._highlight(self._current)

    def _highlighted_key(self) -> str:
        option = self.highlighted_option
        return option.id or "" if option else ""

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id in self._conversations:
            self.post_message(self.Opened(int(event.option_id)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what there is something for."""
        if action == "ask":
            return bool(self._conversations)
        return self._undoable if action == "undo" else True

    def action_ask(self, wish: Wish) -> None:
        """Pass a wish for the highlighted conversation on."""
        if conversation := self._conversations.get(self._highlighted_key()):
            self.post_message(self.Asked(conversation, wish))

    def action_undo(self) -> None:
        """Ask for the last deletion to be taken back."""
        self.post_message(self.UndoAsked())

    def action_toggle_archived(self) -> None:
        """Show the archived conversations, or the others."""
        self._archived = not self._archived
        with telling(self):
            self.show(int(self._current) if self._current.isdigit() else None)
        self.action_first()


def _line(conversation: Conversation, current: bool) -> Content:
    pin = "★ " if conversation.pinned else ""
    title = pin + (one_line(conversation.title, WIDTH - len(pin)) or UNTITLED)
    line = Content.styled(f"▸ {title}", "bold") if current else Content(f"  {title}")
    if not conversation.tags:
        return line
    tags = one_line(" ".join(f"#{tag}" for tag in conversation.tags), WIDTH)
    return Content("\n").join([line, Content.styled(f"  {tags}", "dim")])
