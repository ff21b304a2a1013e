"""What the keys on a message need of the screen they work on."""

from __future__ import annotations

from collections.abc import AsyncIterator

from textual.screen import Screen

from assistant.conversation.chat import ChatEvent
from assistant.errors import AssistantError
from tui.live_reply import LiveReply


class ConversingScreen(Screen[None]):
    """A screen that shows one conversation and streams its replies."""

    live: LiveReply

    def converse(self, events: AsyncIterator[ChatEvent], conversation_id: int, said: str = "") -> None:
        """Show a reply as it streams; what was said is written again where it could not be stored."""
        raise NotImplementedError

    @property
    def shown(self) -> int | None:
        """The shown conversation; None in a chat that is not begun."""
        raise NotImplementedError

    async def open(self, conversation_id: int | None, at: int | None = None) -> None:
        """Show a conversation (None is a chat that is not begun) from its end, or with the focus on a message."""
        raise NotImplementedError

    def show_conversations(self) -> None:
        """Draw the list of conversations anew."""
        raise NotImplementedError

    def show_steering(self) -> None:
        """Say anew whether the next reply is steered."""
        raise NotImplementedError

    def load_model(self) -> None:
        """Load the model that is to answer, and say so."""
        raise NotImplementedError

    def search(self, words: str) -> None:
        """Search all that was said."""
        raise NotImplementedError

    def compare(self, text: str) -> None:
        """Hold two replies against each other, to a text where there is one."""
        raise NotImplementedError

    def write_in_editor(self) -> None:
        """Write in an editor of the person's own."""
        raise NotImplementedError

    async def end_reply(self, conversation_id: int) -> None:
        """Stop the reply that streams in a conversation, if one does, and wait for its end; what waits is not sent."""
        raise NotImplementedError

    async def show_error(self, error: AssistantError) -> None:
        """Say what went wrong, in place."""
        raise NotImplementedError

    def action_to_prompt(self) -> None:
        """Go back to the prompt."""
        raise NotImplementedError
