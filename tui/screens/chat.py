"""The chat: conversations at the side, messages, the prompt, the status line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message as Event

from assistant.app import Assistant
from assistant.conversation.chat import ChatEvent
from assistant.errors import AssistantError
from assistant.visible import sanitise
from tui.hints import keys_of
from tui.prompting.slash import Ordered
from tui.rebuild_job import RebuildJob
from tui.screens.chat_commands import ChatCommands
from tui.screens.conversation_wishes import ConversationWishes
from tui.screens.conversing import ConversingScreen
from tui.screens.message_wishes import MessageWishes
from tui.screens.replying import Replying
from tui.screens.welcome import welcome
from tui.sizes import NARROW
from tui.telling import telling
from tui.widgets.conversations import ConversationList
from tui.widgets.hits import HitList
from tui.widgets.key_line import KeyLine
from tui.widgets.message import MessageView
from tui.widgets.messages import MessageList
from tui.widgets.prompt import Prompt
from tui.widgets.rebuild_hint import RebuildHint
from tui.widgets.sidebar import Sidebar
from tui.widgets.status import StatusLine
from tui.widgets.writing import Writing


class ChatScreen(ConversingScreen):
    """Where one talks with the model."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW, "-roomy")]  # noqa: RUF012  # so declared by Textual
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "stop_reply", "Stop", tooltip="Stop the reply, keep what came", id="chat.stop"),
        Binding("escape", "to_prompt", "Prompt", tooltip="Back to the prompt", id="chat.prompt"),
        Binding("ctrl+n", "new_chat", "New", tooltip="New chat", id="chat.new"),
        Binding("f3", "compare", "Compare", tooltip="Two replies side by side: steered or not", id="chat.compare"),
        Binding("f5", "later", "Later", tooltip="No rebuild now: hide the line that offers it", id="chat.later"),
        Binding("ctrl+b", "toggle_sidebar", "Chats", tooltip="Show or hide the conversations", id="chat.sidebar"),
        # With priority, as the prompt has a use of its own for it.
        Binding(
            "ctrl+f",
            "search",
            "Search",
            tooltip="Search all that was said",
            show=False,
            priority=True,
            id="chat.search",
        ),
        Binding(
            "slash",
            "search",
            "Search",
            tooltip="Search, from outside the prompt",
            key_display="/",
            show=False,
            id="chat.search_by_slash",
        ),
    ]

    class CompareAsked(Event):
        """The person wants to hold two replies against each other, to a text where there is one."""

        def __init__(self, text: str = "") -> None:
            super().__init__()
            self.text = text

    class Stirred(Event):
        """There may be more or less to learn from, or a rebuild may no longer be in the way."""

    class Later(Event):
        """The person wants no rebuild now."""

    class ReplyEnded(Event):
        """A reply is written, or could not be."""

        def __init__(self, seconds: float) -> None:
            super().__init__()
            self.seconds = seconds

    def __init__(self, assistant: Assistant) -> None:
        super().__init__()
        self._assistant = assistant
        self._chat = assistant.chat
        self._messages = MessageList()
        self._status = StatusLine()
        self._hint = RebuildHint()
        self._sidebar = Sidebar(assistant.history)
        self._wishes = MessageWishes(self, assistant, self._messages)
        self._conversation_wishes = ConversationWishes(self, assistant)
        self._commands = ChatCommands(self, assistant, self._messages, self._wishes, self._conversation_wishes)
        self._writing = Writing(assistant.drafts, self._commands.complete, assistant.paths.editing)
        self._replying = Replying(
            self,
            self._chat,
            self._messages,
            self._status,
            self._writing,
            lambda seconds: self.post_message(self.ReplyEnded(seconds)),
        )
        self.live = self._replying.live

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield self._sidebar
            with Vertical(id="conversation"):
                yield self._messages
                yield self._writing
                yield self._status
                yield self._hint
        yield KeyLine()

    async def on_mount(self) -> None:
        self._sidebar.display = self._assistant.settings.appearance.sidebar and self.app.size.width >= NARROW
        with telling(self):
            await self.open(self._last_used())
        self.show_steering()
        self.query_one(Prompt).focus()
        self.load_model()
        self.post_message(self.Stirred())

    def _last_used(self) -> int | None:
        conversations = self._assistant.history.conversations()
        return max(conversations, key=lambda one: (one.updated_at, one.id)).id if conversations else None

    def on_screen_resume(self) -> None:
        if self.is_mounted:
            self.post_message(self.Stirred())
            self.show_steering()
            # Pairs that were compared meanwhile are conversations too.
            with telling(self):
                self.show_conversations()

    def show_steering(self) -> None:
        """Say anew whether the next reply is steered."""
        with telling(self):
            self._status.show_steering(self._chat.steering())

    def show_rebuild(self, job: RebuildJob) -> None:
        """Say in the status line how far a rebuild is."""
        progress = job.progress
        stage = f" {progress.stage_number}/{progress.stages}" if progress else ""
        self._status.show_rebuild(f"rebuilding{stage}" if job.running else "")
        if not job.running:
            self.show_steering()

    @work
    async def load_model(self) -> None:  # type: ignore[override]  # a worker
        """Load the model that is to answer, and say so."""
        self._status.show_loading()
        try:
            loaded = await self._chat.start(by_itself=True, on_loading=self._status.show_loading)
            self._status.show_loaded(loaded)
            self.show_steering()
        except AssistantError as error:
            await self.show_error(error)
        finally:
            self._replying.loaded.set()
            self.post_message(self.Stirred())

    @property
    def idle(self) -> bool:
        """Whether it is looked at, the model is loaded and no reply is being written."""
        return self.is_current and self._replying.loaded.is_set() and not self.live.running

    def offer_rebuild(self, words: str) -> None:
        """Offer a rebuild for this reason; empty takes the offer back."""
        self._hint.offer(words)
        self.refresh_bindings()

    def action_later(self) -> None:
        """Hide the offer of a rebuild."""
        self.post_message(self.Later())

    async def show_error(self, error: AssistantError) -> None:
        """Say what went wrong beside the conversation and in a notification."""
        self._status.show_failed()
        await self._messages.notice(f"✗ {error}", "error")
        self.notify(sanitise(str(error)), title="That did not work", severity="error", markup=False)

    @property
    def shown(self) -> int | None:
        """The shown conversation; None in a chat that is not begun."""
        return self._messages.conversation_id

    async def open(self, conversation_id: int | None, at: int | None = None) -> None:
        """Show a conversation (None is a chat that is not begun) from its end, or with the focus on a message."""
        messages = self._chat.messages(conversation_id) if conversation_id is not None else []
        if self.live.belongs_to(conversation_id):
            messages = self.live.merged(messages)
        # First the draft: what is typed meanwhile belongs here.
        self._writing.show(conversation_id)
        await self._messages.show(conversation_id, messages, Content("") if messages else self._welcome(), at)
        self.show_conversations()

    def _welcome(self) -> Content:
        better = None
        with telling(self):
            better = self._assistant.models.best()
        return welcome(self._assistant.paths, keys_of(self), better)

    def name_keys(self) -> None:
        """Say anew in an empty chat how to begin; the rest is said by its own parts."""
        self._messages.show_welcome(self._welcome())
        with telling(self):
            self.show_conversations()

    def show_download(self, text: str) -> None:
        """Say in the status line how far a download is."""
        self._status.show_download(text)

    def show_conversations(self) -> None:
        """Draw the sidebar anew."""
        self._sidebar.show(self._messages.conversation_id)

    def on_prompt_left_upwards(self) -> None:
        if views := self._messages.views():
            # The end of a long reply stays in sight, with its line of figures.
            views[-1].focus(scroll_visible=False)

    def on_writing_sent(self, event: Writing.Sent) -> None:
        with telling(self):
            try:
                conversation_id = self._conversation()
            except AssistantError:  # there is no room for one
                self._writing.give_back(self.shown, event.text)
                raise
            if self.live.running:
                self._writing.wait(conversation_id, event.text)
            else:
                self._replying.send(conversation_id, event.text)

    def on_writing_commanded(self, event: Writing.Commanded) -> None:
        self.obey(event.ordered)

    @work
    async def obey(self, ordered: Ordered) -> None:
        """Do what a slash command asks for."""
        with telling(self):
            await self._commands.obey(ordered)
        self.post_message(self.Stirred())

    def store_drafts(self) -> None:
        """Store what is written, before the program ends."""
        self._writing.store_all()

    def write_in_editor(self) -> None:
        """Write in an editor of the person's own."""
        self._writing.write_in_editor()

    def _conversation(self) -> int:
        """The shown conversation, made where it is not begun."""
        if self._messages.conversation_id is None:
            self._messages.conversation_id = self._chat.new_conversation().id
            self._writing.begin(self._messages.conversation_id)
        return self._messages.conversation_id

    def converse(self, events: AsyncIterator[ChatEvent], conversation_id: int, said: str = "") -> None:
        """Begin to show a reply as it streams; what was said is written again where it could not be stored."""
        self._replying.begin(events, conversation_id, said)

    async def on_message_view_asked(self, event: MessageView.Asked) -> None:
        await self._wishes.fulfil(event.view, event.wish)
        self.post_message(self.Stirred())

    async def on_conversation_list_opened(self, event: ConversationList.Opened) -> None:
        self._sidebar.give_way()
        self.set_focus(self.query_one(Prompt))
        with telling(self):
            await self.open(event.conversation_id)

    async def on_hit_list_chosen(self, event: HitList.Chosen) -> None:
        hit = event.hit
        if hit.message_id is None:
            await self.on_conversation_list_opened(ConversationList.Opened(hit.conversation_id))
            return
        with telling(self):
            if not self.live.belongs_to(hit.conversation_id):  # its reply stands on the branch that is shown
                self._assistant.history.show(hit.message_id)
            await self.open(hit.conversation_id, hit.message_id)
            if self._messages.find(hit.message_id) is None:
                self.notify("It is on another branch; that can be shown once the reply is written.", severity="warning")
        self._sidebar.give_way()

    @work
    async def on_conversation_list_asked(self, event: ConversationList.Asked) -> None:
        await self._conversation_wishes.fulfil(event)

    async def on_conversation_list_undo_asked(self) -> None:
        with telling(self):
            await self._conversation_wishes.undo()

    async def end_reply(self, conversation_id: int) -> None:
        """Stop the reply that streams in a conversation, if one does, and wait for its end; what waits is not sent."""
        await self._replying.end(conversation_id)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Esc stops a running reply, else it leads back to the prompt."""
        if action == "stop_reply":
            return self.live.running
        if action == "later":
            return bool(self._hint.display)
        if action == "to_prompt":
            return not self.live.running and not isinstance(self.focused, Prompt)
        return True

    async def action_stop_reply(self) -> None:
        """Stop the reply and keep what came; one that waits for the model does not begin."""
        with telling(self):
            await self._replying.stop()

    def action_to_prompt(self) -> None:
        """Go back to the prompt, at once: what is typed next belongs there."""
        self._sidebar.uncover()
        self.set_focus(self.query_one(Prompt))

    async def action_new_chat(self) -> None:
        """Begin a new conversation; a running reply goes on in its own."""
        self.action_to_prompt()
        with telling(self):
            await self.open(None)

    def action_toggle_sidebar(self) -> None:
        """Show and enter the sidebar, or hide it."""
        if self._sidebar.display:
            self._sidebar.display = False
            self.action_to_prompt()
        else:
            self._sidebar.enter()

    def action_search(self) -> None:
        """Search all that was said."""
        self.search("")

    def search(self, words: str) -> None:
        """Search all that was said."""
        self._sidebar.search(words)

    def action_compare(self) -> None:
        """Hold two replies against each other."""
        self.compare("")

    def compare(self, text: str) -> None:
        """Hold two replies against each other, to a text where there is one."""
        self.post_message(self.CompareAsked(text))

    def action_page(self, step: int) -> None:
        """Scroll the messages by a page."""
        if step < 0:
            self._messages.scroll_page_up()
        else:
            self._messages.scroll_page_down()
