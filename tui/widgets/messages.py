"""The shown branch of a conversation: a window of its messages, more when scrolled to an end, following the last."""

from __future__ import annotations

import asyncio

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from assistant.records import Message
from tui.text import literal
from tui.widgets.message import MessageView

WINDOW = 12
"""Messages mounted at first (more where they do not fill the screen), and with every step further."""
MOST = 4 * WINDOW
"""Messages that stay mounted; those furthest from where one scrolls go."""


class MessageList(VerticalScroll, can_focus=False):
    """Messages of one conversation; `conversation_id` is None in a chat that is not begun."""

    def __init__(self) -> None:
        super().__init__(id="messages")
        self.conversation_id: int | None = None
        self._earlier: list[Message] = []
        self._later: list[Message] = []
        self._loading = False
        self._mounting = asyncio.Lock()

    def compose(self) -> ComposeResult:
        yield Static(id="welcome")

    def on_mount(self) -> None:
        self.anchor()

    async def show(
        self, conversation_id: int | None, messages: list[Message], welcome: Content, at: int | None = None
    ) -> None:
        """Show a conversation from its end, or with the focus on one message; the welcome where nothing was said."""
        self.conversation_id = conversation_id
        self.show_welcome(welcome)
        self.query_one("#welcome").display = not messages
        await self._mount_window(messages, at)

    def show_welcome(self, welcome: Content) -> None:
        """Change the words of the welcome."""
        self.query_one("#welcome", Static).update(welcome)

    async def _mount_window(self, messages: list[Message], at: int | None = None) -> None:
        place = next((index for index, message in enumerate(messages) if message.id == at), None)
        start = max(0, len(messages) - WINDOW if place is None else place - WINDOW)
        # Enough below to bring it to the top.
        end = len(messages) if place is None else place + 2 * WINDOW
        self._earlier, self._later = messages[:start], messages[end:]
        async with self.batch():
            await self.query("MessageView, .notice").remove()
            await self.mount_all([MessageView(message) for message in messages[start:end]])
        if at is not None and (view := self.find(at)) is not None:
            self.anchor(False)
            view.focus(scroll_visible=False)
            self.call_after_refresh(self.scroll_to_widget, view, top=True, animate=False)
        else:
            self.anchor()
            self.call_after_refresh(self._fill)

    async def _fill(self) -> None:
        """Mount more above while the end does not fill the screen, from where nothing further up could be reached."""
        if self._earlier and not self._loading and self.size.height and self.max_scroll_y < WINDOW:
            await self._mount_earlier()
            self.call_after_refresh(self._fill)

    async def to_end(self) -> None:
        """Show the end, where the window is further up."""
        if self._later:
            await self._mount_window([*self._earlier, *(view.record for view in self.views()), *self._later])

    def views(self) -> list[MessageView]:
        """The mounted messages, oldest first."""
        return [child for child in self.children if isinstance(child, MessageView)]

    def find(self, message_id: int) -> MessageView | None:
        """The view of a message, where it is mounted."""
        return next((view for view in self.views() if view.record.id == message_id), None)

    async def place(self, message: Message) -> MessageView:
        """Show a message after its parent; what followed the parent belongs to another branch and goes."""
        self.query_one("#welcome").display = False
        if (present := self.find(message.id)) is not None:
            present.show_record(message)
            return present
        if self._later and not any(view.record.id == message.parent_id for view in self.views()):
            await self.to_end()
        view = MessageView(message)
        focused = await self._cut_after(message.parent_id)
        await self.mount(view)
        if focused:
            view.focus(scroll_visible=False)
        self.anchor()
        return view

    async def _cut_after(self, parent_id: int | None) -> bool:
        """Take away all messages after one, and old errors; returns whether one of them had the focus."""
        self._later = []
        views = self.views()
        kept = next((index + 1 for index, view in enumerate(views) if view.record.id == parent_id), 0)
        focused = any(view.has_focus for view in views[kept:])
        await self.query(".notice.-error").remove()
        for view in views[kept:]:
            await view.remove()
        return focused

    async def notice(self, text: str, kind: str) -> Static:
        """Put a line of ours (`error`) at the end."""
        await self.to_end()
        line = Static(literal(text), classes=f"notice -{kind}")
        await self.mount(line)
        self.anchor()
        return line

    async def neighbour(self, view: MessageView, step: int) -> MessageView | None:
        """The message `step` places further down (or up), mounted where it is not yet; None at either end."""
        if (found := self._mounted_neighbour(view, step)) is None and (self._later if step > 0 else self._earlier):
            await (self.load_later() if step > 0 else self.load_earlier())
            found = self._mounted_neighbour(view, step)
        return found

    def _mounted_neighbour(self, view: MessageView, step: int) -> MessageView | None:
        views = self.views()
        index = views.index(view) + step
        return views[index] if 0 <= index < len(views) else None

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Load more when an end of the window comes into sight."""
        super().watch_scroll_y(old_value, new_value)
        if self._loading:
            return
        if self._earlier and new_value <= 1 and new_value < old_value:
            self._loading = True
            self.run_worker(self.load_earlier())
        elif new_value > old_value and new_value >= self.max_scroll_y - 1:
            self._reach_end()

    def _reach_end(self) -> None:
        """Load more below; where there is none, follow the end from now on."""
        if self._later:
            self._loading = True
            self.run_worker(self.load_later())
        elif not self.is_anchored:
            self.anchor()

    async def load_earlier(self) -> None:
        """Mount the messages before the first one, which stays where it is on the screen."""
        self._loading = True
        async with self._mounting, self.batch():
            first = await self._mount_earlier()
            await self._unmount_last()
        self.call_after_refresh(self._settle, first)

    async def _mount_earlier(self) -> MessageView:
        """Mount the messages before the first one; returns that."""
        self._earlier, more = self._earlier[:-WINDOW], self._earlier[-WINDOW:]
        first = self.views()[0]
        await self.mount_all([MessageView(message) for message in more], before=first)
        return first

    async def _unmount_last(self) -> None:
        gone = self.views()[MOST:]
        # One that is written or that the keys go to stays, and what is above it too.
        if gone and not any(view.is_growing or view.has_focus_within for view in gone):
            self._later = [*(view.record for view in gone), *self._later]
            await self.remove_children(gone)

    async def load_later(self) -> None:
        """Mount the messages after the last one; what is seen stays where it is on the screen."""
        self._loading = True
        self.anchor(False)  # this is the end of what is mounted, not the end
        async with self._mounting, self.batch():
            more, self._later = self._later[:WINDOW], self._later[WINDOW:]
            await self.mount_all([MessageView(message) for message in more])
            await self._unmount_first()
        self.call_after_refresh(self._loaded)

    async def _unmount_first(self) -> None:
        views = self.views()
        gone, kept = views[:-MOST], views[-MOST:]
        if gone and not any(view.has_focus_within for view in gone):
            height = kept[0].virtual_region.y - gone[0].virtual_region.y
            self._earlier = [*self._earlier, *(view.record for view in gone)]
            await self.remove_children(gone)
            self.scroll_target_y = max(0, self.scroll_y - height)
            self.set_scroll(None, self.scroll_target_y)

    def _loaded(self) -> None:
        self._loading = False
        if self._later and self.scroll_y >= self.max_scroll_y - 1:
            self._reach_end()

    def _settle(self, first: MessageView) -> None:
        self.scroll_to_widget(first, top=True, animate=False)
        self._loading = False
