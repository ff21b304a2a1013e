"""The chat: conversations at the side, messages, the prompt, the status line."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message as Event
from textual.widgets import Footer, Static
from textual.worker import Worker

from assistant.app import Assistant
from assistant.chat import ChatEvent, UserMessage
from assistant.errors import AssistantError
from assistant.records import Conversation
from assistant.reply import ReplyFinished
from assistant.visible import one_line, sanitise
from tui.live_reply import LiveReply
from tui.rebuild_job import RebuildJob
from tui.screens.conversing import ConversingScreen
from tui.screens.message_wishes import MessageWishes
from tui.screens.welcome import welcome
from tui.telling import telling
from tui.widgets.confirm import ConfirmModal
from tui.widgets.message import MessageView
from tui.widgets.messages import MessageList
from tui.widgets.prompt import Prompt
from tui.widgets.sidebar import UNTITLED, Sidebar
from tui.widgets.status import StatusLine
from tui.widgets.text_modal import LineModal

NARROW = 100


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A message sent while a reply runs."""

    conversation_id: int
    text: str
    line: Static


class ChatScreen(ConversingScreen):
    """Where one talks with the model."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop_reply", "Stop", tooltip="Stop the reply, keep what came", id="chat.stop"),
        Binding("escape", "to_prompt", "Prompt", tooltip="Back to the prompt", id="chat.prompt"),
        Binding("ctrl+n", "new_chat", "New", tooltip="New chat", id="chat.new"),
        Binding("f3", "compare", "Compare", tooltip="Two replies side by side: steered or not", id="chat.compare"),
        Binding("ctrl+b", "toggle_sidebar", "Chats", tooltip="Show or hide the conversations", id="chat.sidebar"),
    ]

    class CompareAsked(Event):
        """The person wants to hold two replies against each other."""

    def __init__(self, assistant: Assistant) -> None:
        super().__init__()
        self._assistant = assistant
        self._chat = assistant.chat
        self._waiting: deque[_Waiting] = deque()
        self._reply: Worker[None] | None = None
        self._load_over = asyncio.Event()
        self._messages = MessageList()
        self._status = StatusLine()
        self._sidebar = Sidebar()
        self._wishes = MessageWishes(self, assistant.chat, self._messages)
        self.live = LiveReply(self._messages, self._status)

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield self._sidebar
            with Vertical(id="conversation"):
                yield self._messages
                yield Prompt()
                yield self._status
        yield Footer(show_command_palette=False, compact=True)

    async def on_mount(self) -> None:
        self._sidebar.display = self._assistant.settings.appearance.sidebar and self.app.size.width >= NARROW
        with telling(self):
            conversations = self._chat.conversations()
            await self.open(conversations[0].id if conversations else None)
        self._show_steering()
        self.query_one(Prompt).focus()
        self._load_model()

    def on_screen_resume(self) -> None:
        if self.is_mounted:
            self._show_steering()
            # Pairs that were compared meanwhile are conversations too.
            with telling(self):
                self.show_conversations()

    def _show_steering(self) -> None:
        with telling(self):
            self._status.show_steering(self._chat.steering())

    def show_rebuild(self, job: RebuildJob) -> None:
        """Say in the status line how far a rebuild is."""
        progress = job.progress
        stage = f" {progress.stage_number}/{progress.stages}" if progress else ""
        self._status.show_rebuild(f"rebuilding{stage}" if job.running else "")
        if not job.running:
            self._show_steering()

    @work
    async def _load_model(self) -> None:
        self._status.show_loading()
        try:
            loaded = await self._chat.start(by_itself=True, on_loading=self._status.show_loading)
            self._status.show_loaded(loaded)
            self._show_steering()
        except AssistantError as error:
            await self.show_error(error)
        finally:
            self._load_over.set()

    async def show_error(self, error: AssistantError) -> None:
        """Say what went wrong beside the conversation and in a notification."""
        self._status.show_failed()
        await self._messages.notice(f"✗ {error}", "error")
        self.notify(sanitise(str(error)), title="That did not work", severity="error", markup=False)

    async def open(self, conversation_id: int | None) -> None:
        """Show a conversation; None is a chat that is not begun."""
        messages = self._chat.messages(conversation_id) if conversation_id is not None else []
        if self.live.belongs_to(conversation_id):
            messages = self.live.merged(messages)
        await self._messages.show(conversation_id, messages, welcome(self._assistant.paths))
        self.show_conversations()

    def show_conversations(self) -> None:
        """Draw the sidebar anew."""
        self._sidebar.show(self._chat.conversations(), self._messages.conversation_id)

    def on_prompt_left_upwards(self) -> None:
        if views := self._messages.views():
            # The end of a long reply stays in sight, with its line of figures.
            views[-1].focus(scroll_visible=False)

    async def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        if self.live.running:
            line = await self._messages.notice(f"❯ {event.text}", "queued")
            self._waiting.append(_Waiting(self._conversation(), event.text, line))
        else:
            with telling(self):
                self._send(self._conversation(), event.text)

    def _conversation(self) -> int:
        """The shown conversation, made where it is not begun."""
        if self._messages.conversation_id is None:
            self._messages.conversation_id = self._chat.new_conversation().id
        return self._messages.conversation_id

    def _send(self, conversation_id: int, text: str) -> None:
        self.converse(self._chat.send(conversation_id, text), conversation_id)

    def converse(self, events: AsyncIterator[ChatEvent], conversation_id: int) -> None:
        """Begin to show a reply as it streams."""
        self.live.running = True
        self.refresh_bindings()
        self._reply = self._follow(events, conversation_id)

    @work(group="reply")
    async def _follow(self, events: AsyncIterator[ChatEvent], conversation_id: int) -> None:
        try:
            async for event in self.live.follow(events):
                if isinstance(event, UserMessage | ReplyFinished):
                    self.show_conversations()
                if isinstance(event, UserMessage):
                    await self._load_over.wait()
            self._status.show_idle()
        except AssistantError as error:
            with telling(self):
                await self._finish_failed(conversation_id)
            await self.show_error(error)
        self.refresh_bindings()
        await self._send_waiting()

    async def _finish_failed(self, conversation_id: int) -> None:
        if conversation_id != self._messages.conversation_id:
            return
        stored = self._chat.messages(conversation_id)
        if stored and (view := self._messages.find(stored[-1].id)) and stored[-1].role == "assistant":
            await view.finish(stored[-1])

    async def _send_waiting(self) -> None:
        if self._waiting:
            waiting = self._waiting.popleft()
            await waiting.line.remove()
            self._send(waiting.conversation_id, waiting.text)

    async def on_message_view_asked(self, event: MessageView.Asked) -> None:
        await self._wishes.fulfil(event.view, event.wish)

    async def on_sidebar_opened(self, event: Sidebar.Opened) -> None:
        with telling(self):
            await self.open(event.conversation_id)
        if self.app.size.width < NARROW:
            self._sidebar.display = False
        self.query_one(Prompt).focus()

    @work
    async def on_sidebar_rename_asked(self, event: Sidebar.RenameAsked) -> None:
        title = await self.app.push_screen_wait(LineModal("Title of the conversation", event.conversation.title))
        with telling(self):
            if title:
                self._chat.rename(event.conversation.id, title)
            self.show_conversations()

    @work
    async def on_sidebar_delete_asked(self, event: Sidebar.DeleteAsked) -> None:
        conversation = event.conversation
        title = one_line(conversation.title, 40) or UNTITLED
        question = f"Delete “{title}” with all its messages? This cannot be undone."
        if await self.app.push_screen_wait(ConfirmModal(question, "Delete")):
            with telling(self):
                await self._delete(conversation)

    async def _delete(self, conversation: Conversation) -> None:
        if self.live.belongs_to(conversation.id) and self._reply is not None:
            await self._chat.stop()
            await self._reply.wait()
        self._chat.delete(conversation.id)
        if conversation.id == self._messages.conversation_id:
            await self.open(None)
        self.show_conversations()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Esc stops a running reply, else it leads back to the prompt."""
        if action == "stop_reply":
            return self.live.running
        if action == "to_prompt":
            return not self.live.running and not isinstance(self.focused, Prompt)
        return True

    async def action_stop_reply(self) -> None:
        """Stop the reply and keep what came; one that waits for the model does not begin."""
        if self._reply is not None and not self._load_over.is_set():
            self._reply.cancel()
        with telling(self):
            await self._chat.stop()

    def action_to_prompt(self) -> None:
        """Go back to the prompt."""
        self.query_one(Prompt).focus()

    async def action_new_chat(self) -> None:
        """Begin a new conversation; a running reply goes on in its own."""
        with telling(self):
            await self.open(None)
        self.query_one(Prompt).focus()

    def action_toggle_sidebar(self) -> None:
        """Show and enter the sidebar, or hide it."""
        self._sidebar.display = not self._sidebar.display
        self.set_focus(self._sidebar if self._sidebar.display else self.query_one(Prompt))

    def action_compare(self) -> None:
        """Hold two replies against each other."""
        self.post_message(self.CompareAsked())

    def action_page(self, step: int) -> None:
        """Scroll the messages by a page."""
        if step < 0:
            self._messages.scroll_page_up()
        else:
            self._messages.scroll_page_down()
