"""The reply that is being written: from the chat's events to the message list and the status line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from assistant.conversation.answering import ReplyStarted
from assistant.conversation.chat import ChatEvent, UserMessage
from assistant.conversation.reply import ReplyFinished
from assistant.records import Message, Piece, Prefill, Thought
from tui.widgets.message import MessageView
from tui.widgets.messages import MessageList
from tui.widgets.status import StatusLine


class LiveReply:
    """At most one reply streams; it goes on while another conversation is looked at."""

    def __init__(self, messages: MessageList, status: StatusLine) -> None:
        self._messages = messages
        self._status = status
        self._record: Message | None = None
        self.running = False

    def belongs_to(self, conversation_id: int | None) -> bool:
        """Whether the running reply is in this conversation."""
        return self._record is not None and self._record.conversation_id == conversation_id

    def merged(self, messages: list[Message]) -> list[Message]:
        """Stored messages, the running one with all that has come so far."""
        live = self._record
        return [live if live is not None and live.id == message.id else message for message in messages]

    async def follow(self, events: AsyncIterator[ChatEvent]) -> AsyncIterator[ChatEvent]:
        """Show every event as it comes and hand it on.

        Raises: AssistantError: what the chat raises.
        """
        self.running = True
        try:
            async for event in events:
                await self._show(event)
                yield event
        finally:
            self.running = False
            self._record = None

    async def _show(self, event: ChatEvent) -> None:
        match event:
            case UserMessage(message=message):
                await self._place(message)
            case ReplyStarted(message=message, steering=steering):
                self._record = message
                await self._place(message)
                self._status.show_steering(steering)
            case Prefill():
                self._status.show_reading(event)
            case Thought(text=text):
                await self._think(text)
            case Piece(text=text):
                await self._append(text)
            case ReplyFinished(message=message, stats=stats):
                self._status.show_figures(stats)
                if (view := self._view(message)) is not None:
                    await view.finish(message)

    async def _think(self, text: str) -> None:
        if self._record is None:
            return
        self._record = replace(self._record, reasoning=self._record.reasoning + text)
        self._status.show_thinking()
        if (view := self._view(self._record)) is not None:
            await view.think(text)

    async def _append(self, text: str) -> None:
        if self._record is None:
            return
        self._record = replace(self._record, text=self._record.text + text)
        self._status.show_writing()
        if (view := self._view(self._record)) is not None:
            await view.append(text)

    async def _place(self, message: Message) -> None:
        if message.conversation_id == self._messages.conversation_id:
            await self._messages.place(message)

    def _view(self, message: Message) -> MessageView | None:
        return self._messages.find(message.id)
