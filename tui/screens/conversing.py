"""What the keys on a message need of the screen they work on."""

from __future__ import annotations

from collections.abc import AsyncIterator

from textual.screen import Screen

from assistant.chat import ChatEvent
from assistant.errors import AssistantError
from tui.live_reply import LiveReply


class ConversingScreen(Screen[None]):
    """A screen that shows one conversation and streams its replies."""

    live: LiveReply

    def converse(self, events: AsyncIterator[ChatEvent], conversation_id: int) -> None:
        """Show a reply as it streams."""
        raise NotImplementedError

    async def open(self, conversation_id: int | None) -> None:
        """Show a conversation; None is a chat that is not begun."""
        raise NotImplementedError

    async def show_error(self, error: AssistantError) -> None:
        """Say what went wrong, in place."""
        raise NotImplementedError

    def action_to_prompt(self) -> None:
        """Go back to the prompt."""
        raise NotImplementedError
