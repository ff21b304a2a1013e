"""One of two replies that are held against each other; what made it is hidden until it may be known."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from assistant.records import Message, MessageState
from tui.text import literal
from tui.widgets.footer import STATES, message_footer
from tui.widgets.message import MessageView


class ComparedReply(MessageView, can_focus=False):
    """A reply without keys, whose line of figures tells nothing of the steering while that is hidden."""

    def __init__(self, record: Message, revealed: bool) -> None:
        super().__init__(record)
        self._revealed = revealed

    def footer_line(self) -> Content:
        """All that is known, or the state alone."""
        if self._revealed:
            # Which of the two versions it is says the pane.
            return message_footer(replace(self.record, sibling_count=1))
        text, style = STATES.get(self.record.state, ("", ""))
        return Content.styled(text, style)

    def reveal(self, revealed: bool) -> None:
        """Show or hide what made it."""
        self._revealed = revealed
        self.show_record(self.record)


class ReplyPane(Vertical):
    """A reply under its label, "A" or "B"."""

    def __init__(self, label: str) -> None:
        super().__init__(id=f"pane-{label.lower()}", classes="pane")
        self.label = label
        self._origin = ("", "")
        self._revealed = False
        self._better = False

    def compose(self) -> ComposeResult:
        yield Static(self.label, classes="pane-head")
        yield VerticalScroll(classes="pane-body")

    @property
    def reply(self) -> ComparedReply | None:
        """The reply, once it has begun."""
        return next(iter(self.query(ComparedReply)), None)

    @property
    def body(self) -> VerticalScroll:
        """What scrolls."""
        return self.query_one(VerticalScroll)

    async def clear(self) -> None:
        """Take the reply of before away."""
        self._origin, self._better = ("", ""), False
        await self.body.remove_children()
        self._redraw()

    async def begin(self, message: Message, words: str) -> None:
        """Show a reply from its beginning; `words` say what steers it, empty where nothing does."""
        self._origin = (f"◆ steered {words}", "$text-accent") if words else ("◇ as the model is", "dim")
        await self.body.mount(ComparedReply(message, self._revealed))
        self.body.anchor()
        self._redraw()

    async def fail(self) -> None:
        """The reply ends here, with what came."""
        if (reply := self.reply) is not None and reply.record.state is MessageState.STREAMING:
            await reply.finish(replace(reply.record, state=MessageState.FAILED))

    def reveal(self, revealed: bool) -> None:
        """Show or hide what made the reply."""
        self._revealed = revealed
        if (reply := self.reply) is not None:
            reply.reveal(revealed)
        self._redraw()

    def mark_better(self) -> None:
        """It was chosen."""
        self._better = True
        self._redraw()

    def _redraw(self) -> None:
        self.set_class(self._better, "-better")
        parts = [Content.styled(f"✓ {self.label} · better" if self._better else self.label, "bold")]
        if self._revealed and self._origin[0]:
            parts.append(literal(*self._origin))
        self.query_one(".pane-head", Static).update(Content(" · ").join(parts))
