"""One message: its text, and for a reply a line of what is known about it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message as Event
from textual.widgets import Collapsible, Markdown, Static

from assistant.figures import count
from assistant.records import Message, MessageState
from assistant.visible import sanitise
from tui.hints import with_keys
from tui.markdown import has_code, parser
from tui.text import literal
from tui.widgets.footer import message_footer
from tui.widgets.paced_stream import PacedStream
from tui.widgets.reply_markdown import ReplyMarkdown

SHOWN = 40_000
"""Characters that are drawn of a text; a pasted megabyte would hold the screen for seconds."""
GOES_ON = "{message.continue} goes on"


class MessageView(Vertical, can_focus=True):
    """A message of the shown branch."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "ask('next')", "Next message", show=False, id="message.next"),
        Binding("k,up", "ask('previous')", "Previous message", show=False, id="message.previous"),
        Binding("y", "ask('copy')", "Copy", id="message.copy"),
        Binding("Y", "ask('code')", "Copy code", tooltip="Copy a block of code", show=False, id="message.copy_code"),
        Binding("e", "ask('edit')", "Edit", id="message.edit"),
        Binding("r", "ask('regenerate')", "Regenerate", id="message.regenerate"),
        Binding("c", "ask('continue')", "Continue", id="message.continue"),
        Binding("plus", "ask('up')", "Like", key_display="+", id="message.up"),
        Binding("minus", "ask('down')", "Dislike", key_display="-", id="message.down"),
        Binding(
            "f",
            "ask('fork')",
            "Fork",
            tooltip="Go on from here in a copy",
            show=False,
            id="message.fork",
        ),
        Binding(
            "F",
            "ask('forget')",
            "Forget",
            tooltip="Forget it for good, with everything below it",
            show=False,
            id="message.forget",
        ),
        Binding(
            "t", "toggle_thoughts", "Thoughts", tooltip="Show or fold what the model thought", id="message.thoughts"
        ),
        Binding("left_square_bracket", "ask('older')", "Older branch", key_display="[", id="message.older"),
        Binding("right_square_bracket", "ask('newer')", "Newer branch", key_display="]", id="message.newer"),
    ]

    class Asked(Event):
        """A key asked for something to be done with this message."""

        def __init__(self, view: MessageView, wish: str) -> None:
            super().__init__()
            self.view = view
            self.wish = wish

    def __init__(self, record: Message) -> None:
        super().__init__(classes=f"-{record.role}", id=f"message-{record.id}")
        self.record = record
        self._stream: PacedStream | None = None

    def compose(self) -> ComposeResult:
        if self.record.role == "assistant":
            if self.record.reasoning.strip():
                yield _thoughts(self.record)
            text = sanitise(_beginning(self.record.text))
            yield ReplyMarkdown(text, parser_factory=parser, open_links=False, classes="body")
        else:
            yield Static(literal(_beginning(self.record.text)), classes="body")
        yield Static(self.footer_line(), classes="footer")

    def on_mount(self) -> None:
        self._redraw_footer()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what this message allows."""
        if action == "toggle_thoughts":
            return bool(self.record.reasoning.strip())
        return self._allows(str(parameters[0])) if action == "ask" else True

    def _allows(self, wish: str) -> bool:
        reply = self.record.role == "assistant"
        match wish:
            case "regenerate" | "up" | "down":
                return reply
            case "code":
                return has_code(self.record.text)
            case "continue":
                return (reply and self.record.state in (MessageState.STOPPED, MessageState.FAILED)) or self._was_cut()
            case "older" | "newer":
                return self.record.sibling_count > 1
        return True

    def _was_cut(self) -> bool:
        return self.record.role == "assistant" and (self.record.stats or {}).get("reason") == "length"

    def footer_line(self) -> Content:
        """What is known about the message."""
        return message_footer(self.record, with_keys(self, GOES_ON))

    def action_ask(self, wish: str) -> None:
        """Pass a wish on to the screen."""
        self.post_message(self.Asked(self, wish))

    def action_toggle_thoughts(self) -> None:
        """Show or fold what the model thought."""
        thoughts = self.query_one(Collapsible)
        thoughts.collapsed = not thoughts.collapsed

    def show_record(self, record: Message) -> None:
        """Show what has changed beside the text."""
        live = self.record
        self.record = replace(record, text=live.text, reasoning=live.reasoning) if self._stream else record
        self._redraw_footer()
        self.refresh_bindings()

    async def think(self, piece: str) -> None:
        """Stream a piece of what the model thinks."""
        self.record = replace(self.record, reasoning=self.record.reasoning + piece)
        await self._redraw_thoughts()

    async def append(self, piece: str) -> None:
        """Stream a piece of the reply."""
        self.record = replace(self.record, text=self.record.text + piece)
        if self._stream is None:
            markdown = self.query_one(ReplyMarkdown)
            markdown.growing = True
            self._stream = PacedStream(markdown)
        self._stream.write(sanitise(piece))

    async def finish(self, record: Message) -> None:
        """End the stream, with the whole text drawn as it is stored."""
        if self._stream is not None:
            await self._stream.stop()
            self._stream = None
        # It may have been rated meanwhile.
        self.record = replace(record, rating=self.record.rating)
        await self._redraw_thoughts()
        await self.query_one(ReplyMarkdown).end(sanitise(_beginning(record.text)))
        self._redraw_footer()
        self.refresh_bindings()

    @property
    def is_growing(self) -> bool:
        """Whether it is still being written."""
        return self.record.state is MessageState.STREAMING

    async def on_unmount(self) -> None:
        if self._stream is not None:
            await self._stream.stop()

    async def _redraw_thoughts(self) -> None:
        if not self.record.reasoning.strip():
            return
        if not (present := self.query(Collapsible)):
            await self.mount(_thoughts(self.record), before=self.query_one(Markdown))
            return
        thoughts = present.first()
        thoughts.title = _thoughts_title(self.record)
        if not thoughts.collapsed:
            self._fill(thoughts)

    def on_collapsible_expanded(self, event: Collapsible.Expanded) -> None:
        event.stop()
        self._fill(event.collapsible)

    def _fill(self, thoughts: Collapsible) -> None:
        thoughts.query_one(".thought", Static).update(literal(self.record.reasoning.strip()))

    def name_keys(self) -> None:
        self._redraw_footer()

    def _redraw_footer(self) -> None:
        content = self.footer_line()
        for footer in self.query(".footer").results(Static):  # none, where the screen was left meanwhile
            footer.update(content)
            footer.display = bool(content.plain)

    def on_markdown_link_clicked(self, event: Markdown.LinkClicked) -> None:
        event.stop()
        self.app.copy_to_clipboard(event.href)
        self.notify(f"Address copied, nothing was opened: {sanitise(event.href)}", markup=False)


def _beginning(text: str) -> str:
    """What is drawn of a text, with a word on the rest."""
    if len(text) <= SHOWN:
        return text
    return f"{text[:SHOWN]}\n\n… {len(text) - SHOWN:,} more characters are not drawn; copying takes all."


def _thoughts(message: Message) -> Collapsible:
    thought = Static(literal(message.reasoning.strip()), classes="thought")
    return Collapsible(thought, title=_thoughts_title(message), classes="thoughts")


def _thoughts_title(message: Message) -> str:
    """Folded thoughts in a line; one that the model is still at says so."""
    words = len(message.reasoning.split())
    return f"{'Thought' if message.text or message.stats else 'Thinking'} · {count(words, 'word')}"
