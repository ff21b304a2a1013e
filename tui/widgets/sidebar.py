"""The list of conversations."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from assistant.records import Conversation
from assistant.visible import one_line

TITLE_WIDTH = 22
UNTITLED = "New chat"


class Sidebar(OptionList):
    """Conversations, last used first; the one that is open carries a mark."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", show=False, id="sidebar.down"),
        Binding("k", "cursor_up", "Up", show=False, id="sidebar.up"),
        Binding("r", "ask_rename", "Rename", id="sidebar.rename"),
        Binding("delete,d", "ask_delete", "Delete", id="sidebar.delete"),
    ]

    class Opened(Message):
        """A conversation was chosen."""

        def __init__(self, conversation_id: int) -> None:
            super().__init__()
            self.conversation_id = conversation_id

    class RenameAsked(Message):
        """The person wants another title."""

        def __init__(self, conversation: Conversation) -> None:
            super().__init__()
            self.conversation = conversation

    class DeleteAsked(Message):
        """The person wants a conversation gone."""

        def __init__(self, conversation: Conversation) -> None:
            super().__init__()
            self.conversation = conversation

    def __init__(self) -> None:
        super().__init__(id="sidebar")
        self.border_title = "Conversations"
        self._conversations: dict[str, Conversation] = {}
        self._current = ""

    def show(self, conversations: list[Conversation], current: int | None) -> None:
        """Draw the list anew, keeping the highlighted line."""
        highlighted = self._highlighted_key() if self.has_focus else ""
        self._current = str(current)
        self._conversations = {str(one.id): one for one in conversations}
        if not conversations:
            self.set_options([Option(Content.styled("  none yet", "dim"), disabled=True)])
            return
        self.set_options([Option(_line(one, one.id == current), id=str(one.id)) for one in conversations])
        self._highlight(highlighted or self._current)

    def _highlight(self, key: str) -> None:
        if key in self._conversations:
            self.highlighted = self.get_option_index(key)

    def on_focus(self) -> None:
        self._highlight(self._current)

    def _highlighted_key(self) -> str:
        option = self.highlighted_option
        return option.id or "" if option else ""

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_id in self._conversations:
            self.post_message(self.Opened(int(event.option_id)))

    def action_ask_rename(self) -> None:
        """Ask for another title of the highlighted conversation."""
        if conversation := self._conversations.get(self._highlighted_key()):
            self.post_message(self.RenameAsked(conversation))

    def action_ask_delete(self) -> None:
        """Ask for the highlighted conversation to be deleted."""
        if conversation := self._conversations.get(self._highlighted_key()):
            self.post_message(self.DeleteAsked(conversation))


def _line(conversation: Conversation, current: bool) -> Content:
    title = one_line(conversation.title, TITLE_WIDTH) or UNTITLED
    return Content.styled(f"▸ {title}", "bold") if current else Content(f"  {title}")
