"""From a message that is sent to the end of its reply, and to what waits behind it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from textual.worker import Worker

from assistant.conversation.chat import Chat, ChatEvent, UserMessage
from assistant.conversation.reply import ReplyFinished
from assistant.errors import AssistantError
from tui.live_reply import LiveReply
from tui.screens.conversing import ConversingScreen
from tui.telling import telling
from tui.widgets.messages import MessageList
from tui.widgets.status import StatusLine
from tui.widgets.writing import Writing


class Replying:
    """Follows one reply at a time; `loaded` is set once the model is, or cannot be."""

    def __init__(
        self,
        screen: ConversingScreen,
        chat: Chat,
        messages: MessageList,
        status: StatusLine,
        writing: Writing,
        on_end: Callable[[float], object],
    ) -> None:
        """`on_end` is told how many seconds a reply took that is written, or could not be."""
        self._screen, self._chat, self._on_end = screen, chat, on_end
        self._messages, self._status, self._writing = messages, status, writing
        self._worker: Worker[None] | None = None
        self.loaded = asyncio.Event()
        self.live = LiveReply(messages, status)

    def send(self, conversation_id: int, text: str) -> None:
        """Say something in a conversation, and show the reply as it streams."""
        self.begin(self._chat.send(conversation_id, text), conversation_id, text)
        self._writing.store(conversation_id)

    def begin(self, events: AsyncIterator[ChatEvent], conversation_id: int, said: str = "") -> None:
        """Begin to show a reply as it streams; what was said is written again where it could not be stored."""
        self.live.running = True
        self._screen.refresh_bindings()
        self._worker = self._screen.run_worker(self._follow(events, conversation_id, said), group="reply")

    async def stop(self) -> None:
        """Stop the reply and keep what came; one that waits for the model does not begin.

        Raises: AssistantError: it cannot be stored.
        """
        if self._worker is not None and not self.loaded.is_set():
            self._worker.cancel()
        await self._chat.stop()

    async def end(self, conversation_id: int) -> None:
        """Stop the reply that streams in a conversation, if one does, and wait for its end; what waits is not sent."""
        self._writing.keep_waiting(conversation_id)
        if self.live.belongs_to(conversation_id) and self._worker is not None:
            await self._chat.stop()
            await self._worker.wait()

    async def _follow(self, events: AsyncIterator[ChatEvent], conversation_id: int, unsent: str) -> None:
        began = time.monotonic()
        try:
            async for event in self.live.follow(events):
                if isinstance(event, UserMessage | ReplyFinished):
                    self._screen.show_conversations()
                if isinstance(event, UserMessage):
                    unsent = ""
                    await self.loaded.wait()
            self._status.show_idle()
        except AssistantError as error:
            if unsent:
                self._writing.give_back(conversation_id, unsent)
            with telling(self._screen):
                await self._finish_failed(conversation_id)
            await self._screen.show_error(error)
        self._screen.refresh_bindings()
        self._on_end(time.monotonic() - began)
        if waiting := self._writing.next():
            self.send(waiting.conversation_id, waiting.text)
        else:
            title = self._suggest_title(conversation_id)
            self._screen.run_worker(title, group="title", exclusive=True)

    async def _suggest_title(self, conversation_id: int) -> None:
        with suppress(AssistantError):  # the title that it has will do
            if await self._chat.suggest_title(conversation_id):
                self._screen.show_conversations()

    async def _finish_failed(self, conversation_id: int) -> None:
        if conversation_id != self._messages.conversation_id:
            return
        stored = self._chat.messages(conversation_id)
        if stored and (view := self._messages.find(stored[-1].id)) and stored[-1].role == "assistant":
            await view.finish(stored[-1])
