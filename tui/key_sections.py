"""All keys by the place where they are obeyed."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import BindingType

from tui.keymap import EVERYWHERE, Section
from tui.screens.chat import ChatScreen
from tui.screens.compare import CompareScreen
from tui.screens.models import ModelsScreen
from tui.screens.settings import SettingsScreen
from tui.widgets.chat_prompt import ChatPrompt
from tui.widgets.conversations import ConversationList
from tui.widgets.message import MessageView
from tui.widgets.prompt import Prompt
from tui.widgets.search_line import SearchLine


def key_sections(everywhere: Sequence[BindingType]) -> list[Section]:
    """Every place under its name; `everywhere` are the keys of the program itself."""
    return [
        (EVERYWHERE, everywhere),
        ("Chat", ChatScreen.BINDINGS),
        ("Writing", [*Prompt.BINDINGS, *ChatPrompt.BINDINGS]),
        ("On a message (shift+tab from the prompt)", MessageView.BINDINGS),
        ("Conversations", ConversationList.BINDINGS),
        ("Searching", SearchLine.BINDINGS),
        ("Side by side", CompareScreen.BINDINGS),
        ("Models", ModelsScreen.BINDINGS),
        ("Settings", SettingsScreen.BINDINGS),
    ]
