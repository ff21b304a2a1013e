"""The shown branch of a conversation: its last messages, more when scrolled up, following the end."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from assistant.records import Message
from tui.text import literal
from tui.widgets.message import MessageView

WINDOW = 50
"""Messages mounted at first, and with every step upwards."""


class MessageList(VerticalScroll, can_focus=False):
    """Messages of one conversation; `conversation_id` is None in a chat that is not begun."""

    def __init__(self) -> None:
        super().__init__(id="messages")
        self.conversation_id: int | None = None
        self._earlier: list[Message] = []
        self._loading = False

    def compose(self) -> ComposeResult:
        yield Static(id="welcome")

    def on_mount(self) -> None:
        self.anchor()

    async def show(self, conversation_id: int | None, messages: list[Message], welcome: Content) -> None:
        """Show a conversation from its end, or the welcome where nothing was said yet."""
        self.conversation_id = conversation_id
        self._earlier, last = messages[:-WINDOW], messages[-WINDOW:]
        async with self.batch():
            await self.query("MessageView, .notice").remove()
            self.query_one("#welcome", Static).update(welcome)
            self.query_one("#welcome").display = not messages
            await self.mount_all([MessageView(message) for message in last])
        self.anchor()

    def views(self) -> list[MessageView]:
        """The mounted messages, oldest first."""
        return list(self.query(MessageView))

    def find(self, message_id: int) -> MessageView | None:
        """The view of a message, where it is mounted."""
        return next((view for view in self.views() if view.record.id == message_id), None)

    async def place(self, message: Message) -> MessageView:
        """Show a message after its parent; what followed the parent belongs to another branch and goes."""
        self.query_one("#welcome").display = False
        if (present := self.find(message.id)) is not None:
            present.show_record(message)
            return present
        view = MessageView(message)
        focused = await self._cut_after(message.parent_id)
        await self.mount(view)
        if focused:
            view.focus(scroll_visible=False)
        self.anchor()
        return view

    async def _cut_after(self, parent_id: int | None) -> bool:
        """Take away all messages after one, and old errors; returns whether one of them had the focus."""
        views = self.views()
        kept = next((index + 1 for index, view in enumerate(views) if view.record.id == parent_id), 0)
        focused = any(view.has_focus for view in views[kept:])
        await self.query(".notice.-error").remove()
        for view in views[kept:]:
            await view.remove()
        return focused

    async def notice(self, text: str, kind: str) -> Static:
        """Put a line of ours (`error`, `queued`) at the end."""
        line = Static(literal(text), classes=f"notice -{kind}")
        await self.mount(line)
        self.anchor()
        return line

    def neighbour(self, view: MessageView, step: int) -> MessageView | None:
        """The message `step` places further down (or up), where it is mounted."""
        views = self.views()
        index = views.index(view) + step
        return views[index] if 0 <= index < len(views) else None

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Load more when the top comes into sight."""
        super().watch_scroll_y(old_value, new_value)
        if self._earlier and new_value <= 1 and new_value < old_value and not self._loading:
            self._loading = True
            self.run_worker(self.load_earlier())

    async def load_earlier(self) -> None:
        """Mount the messages before the first one, which stays where it is on the screen."""
        self._loading = True
        self._earlier, more = self._earlier[:-WINDOW], self._earlier[-WINDOW:]
        first = self.views()[0]
        async with self.batch():
            await self.mount_all([MessageView(message) for message in more], before=first)
        self.call_after_refresh(self._settle, first)

    def _settle(self, first: MessageView) -> None:
        self.scroll_to_widget(first, top=True, animate=False)
        self._loading = False
