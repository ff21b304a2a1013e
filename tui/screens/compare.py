"""Side by side: one prompt, answered steered and as the model is; the better reply is learned from."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import Worker

from assistant.conversation.answering import ReplyStarted
from assistant.conversation.chat import Chat, ChatEvent
from assistant.conversation.reply import ReplyFinished
from assistant.errors import AssistantError
from assistant.profile.steering import NO_PROFILE, NO_VERSION
from assistant.records import Piece, Prefill, Thought
from assistant.visible import one_line
from tui.hints import keys_of, with_keys
from tui.text import literal
from tui.widgets.key_line import KeyLine
from tui.widgets.prompt import Prompt
from tui.widgets.reply_pane import ReplyPane

ASKED_WIDTH = 300
INTRO = (
    "One prompt, two replies at once: steered, and as the model is. You do not see which is which until you have "
    "said which one is better. Your choice is stored as a rating and learned from."
)
ADD = "{app.settings} › What I think you like adds a vector."
REMEDIES = {
    NO_PROFILE: f"{{app.settings}} › Rebuild learns from your texts; {ADD}",
    NO_VERSION: f"{{app.settings}} › Versions puts one to use; {ADD}",
}
SWITCH = (
    "{app.settings} › Rebuild learns from your texts; "
    "{app.settings} › What I think you like switches steering on or adds a vector."
)
OTHER_MODEL = "{app.models} lets another model answer."
CHOICE = (
    "Which one is better?  {compare.first}: A · {compare.second}: B · {compare.neither}: neither · "
    "{compare.labels}: which is which"
)

Phase = Literal["before", "running", "choosing", "over"]


class CompareScreen(Screen[str]):
    """Opened with f3; esc stops a running pair, then leads back to the chat."""

    HORIZONTAL_BREAKPOINTS = [(0, "-stacked"), (100, "-beside")]  # noqa: RUF012  # so declared by Textual
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "prefer(0)", "A is better", id="compare.first"),
        Binding("2", "prefer(1)", "B is better", id="compare.second"),
        Binding("0,s", "neither", "Neither", key_display="0", id="compare.neither"),
        Binding("b", "toggle_labels", "Which is which", tooltip="Show or hide which is steered", id="compare.labels"),
        Binding("escape", "stop", "Stop", tooltip="Stop both replies, keep what came", id="compare.stop"),
        Binding("escape,f3", "close", "Back", key_display="esc", id="compare.close"),
        Binding("ctrl+n", "new", "New", tooltip="Begin anew, with nothing said before", id="compare.new"),
    ]

    def __init__(
        self,
        chat: Chat,
        busy: Callable[[], bool],
        swapped: Callable[[], bool],
        text: str = "",
        draft: str = "",
    ) -> None:
        """`busy`: a reply streams in the chat; `swapped`: whether this time the steered reply is B.

        `text` is asked at once; `draft` was written and not asked when the screen was left: what that is now it gives
        back.
        """
        super().__init__()
        self._text, self._draft = text, draft
        self._chat = chat
        self._busy = busy
        self._swapped = swapped
        self._conversation: int | None = None
        self._phase: Phase = "before"
        self._labels_shown = False
        self._panes = [ReplyPane("A"), ReplyPane("B")]
        # Held, not looked for: a pair that runs while the screen is taken away speaks to it once more.
        self._state, self._prompt = Static(id="compare-state"), Prompt(chat.pastes)
        self._by_side = list(self._panes)
        self._pair: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(id="asked")
            yield Static(id="compare-intro")
            with Container(id="pair"):
                yield from self._panes
        with Vertical(id="compare-bottom"):
            yield self._state
            yield self._prompt
        yield KeyLine()

    def on_mount(self) -> None:
        self._begin()
        self._prompt.insert(self._draft)
        if self._text:
            self.post_message(Prompt.Submitted(self._text))

    def on_screen_resume(self) -> None:
        # Steering may have been switched on meanwhile.
        if self.is_mounted and self._phase == "before":
            self._show_intro()

    @property
    def running(self) -> bool:
        """Whether a pair streams."""
        return self._phase == "running"

    def _begin(self) -> None:
        self._conversation = None
        self.query_one("#pair").display = self.query_one("#asked").display = False
        self._enter("before", "")
        self._show_intro()

    def _show_intro(self) -> None:
        intro = self.query_one("#compare-intro", Static)
        intro.display = True
        try:
            trouble = self._why_not()
        except AssistantError as error:
            trouble = literal(f"✗ {error}", "$text-error")
        lines = [Content.styled("Side by side", "bold $text-accent"), Content(""), Content(INTRO)]
        intro.update(Content("\n").join([*lines, Content(""), trouble] if trouble else lines))

    def _why_not(self) -> Content | None:
        status = self._chat.steering()
        if status.on:
            return None
        # Only the page of a version in use has a switch.
        without = REMEDIES.get(status.note, OTHER_MODEL)
        remedy = with_keys(self, without if status.version is None else SWITCH)
        return literal(f"⚠ Nothing steers now ({status.note}), so both would be the same. {remedy}", "$text-warning")

    def _enter(self, phase: Phase, text: str | Content) -> None:
        """Go on to a phase, say so, and put the focus where the next key belongs."""
        self._phase = phase
        self._say(text)
        self.refresh_bindings()
        if phase in ("before", "over"):
            self._prompt.focus()

    def _say(self, text: str | Content) -> None:
        self._state.update(text if isinstance(text, Content) else literal(text))
        self._state.display = bool(text)

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        if self.running:
            self._refuse(event.text, with_keys(self, "Two replies are being written; {compare.stop} stops them."))
        elif self._busy():
            self._refuse(event.text, "A reply is being written in the chat; it has to end first.")
        else:
            self._ask(event.text)

    def _refuse(self, text: str, why: str) -> None:
        self._prompt.insert(text)
        self.notify(why, severity="warning")

    def _ask(self, text: str) -> None:
        try:
            if trouble := self._why_not():
                self._prompt.insert(text)
                self._say(trouble)
                return
            if self._conversation is None:
                self._conversation = self._chat.new_conversation().id
        except AssistantError as error:
            self._say_error(error)
            return
        self._enter("running", Content.styled("◌ loading the model or reading the prompt…", "$text-warning"))
        self.query_one("#compare-intro").display = False
        self.query_one("#pair").display = self.query_one("#asked").display = True
        self.query_one("#asked", Static).update(literal(f"❯ {one_line(text, ASKED_WIDTH)}"))
        self._pair = self._follow(self._conversation, text)

    @work(group="pair")
    async def _follow(self, conversation_id: int, text: str) -> None:
        self._by_side = self._panes[::-1] if self._swapped() else list(self._panes)
        for pane in self._panes:
            await pane.clear()
            pane.reveal(self._labels_shown)
        self._panes[0].body.focus()
        side = 0
        try:
            async for event in self._chat.compare(conversation_id, text):
                if isinstance(event, ReplyStarted):
                    await self._by_side[side].begin(event.message, event.steering.words)
                    side += 1
                else:
                    await self._show(event)
            self._enter("choosing", Content.styled(with_keys(self, CHOICE), "bold"))
        except AssistantError as error:
            for pane in self._panes:
                await pane.fail()
            self._enter("over", "")
            self._say_error(error)
        finally:
            if self.running:  # cancelled before a reply began
                self._enter("over", Content.styled("■ stopped", "$text-warning"))

    async def _show(self, event: ChatEvent) -> None:
        if isinstance(event, Prefill):
            reading = f"◐ reading the prompt {event.done:,}/{event.total:,} · {keys_of(self)['compare.stop']} stops"
            self._say(Content.styled(reading, "$text-warning"))
            return
        if not isinstance(event, Piece | Thought | ReplyFinished):
            return
        reply = self._by_side[event.stats.side if isinstance(event, ReplyFinished) else event.side].reply
        if reply is None:
            return
        if isinstance(event, ReplyFinished):
            await reply.finish(event.message)
            return
        self._say(Content.styled(with_keys(self, "◉ writing both · {compare.stop} stops"), "$text-accent"))
        await (reply.think(event.text) if isinstance(event, Thought) else reply.append(event.text))

    def _say_error(self, error: AssistantError) -> None:
        self._say(literal(f"✗ {error}", "$text-error"))

    def on_prompt_left_upwards(self) -> None:
        if self._phase != "before":
            self._panes[0].body.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the phase allows."""
        match action:
            case "prefer" | "neither":
                return self._phase == "choosing"
            case "toggle_labels":
                return self._phase in ("running", "choosing")
            case "stop":
                return self.running
            case "close":
                return not self.running
            case "new":
                return self._phase in ("choosing", "over")
        return True

    def action_prefer(self, place: int) -> None:
        """Say that A (0) or B (1) is better."""
        better = self._panes[place]
        if better.reply is None:
            return
        try:
            self._chat.prefer(better.reply.record.id)
        except AssistantError as error:
            self._say_error(error)
            return
        better.mark_better()
        what = "the steered one" if better is self._by_side[0] else "the model as it is"
        self._reveal(f"✓ {better.label} is better, {what}: rated as liked; the next prompt follows it.")

    def action_neither(self) -> None:
        """Say that neither is better; nothing is stored of that."""
        self._reveal(f"Neither. {self._by_side[0].label} was steered, {self._by_side[1].label} as the model is.")

    def _reveal(self, text: str) -> None:
        for pane in self._panes:
            pane.reveal(True)
        self._enter("over", text)

    def action_toggle_labels(self) -> None:
        """Show at once which reply is steered, now and for the next prompts, or hide it again."""
        self._labels_shown = not self._labels_shown
        for pane in self._panes:
            pane.reveal(self._labels_shown)

    async def action_stop(self) -> None:
        """Stop both replies and keep what came; a pair that has not begun does not begin."""
        if self._pair is not None and all(pane.reply is None for pane in self._panes):
            self._pair.cancel()
        try:
            await self._chat.stop()
        except AssistantError as error:
            self._say_error(error)

    def action_new(self) -> None:
        """Begin another conversation."""
        self._begin()

    def action_close(self) -> None:
        """Back to the chat."""
        self.dismiss(self._prompt.text)

    def action_page(self, step: int) -> None:
        """Scroll both replies by a page."""
        for pane in self._panes:
            if step < 0:
                pane.body.scroll_page_up()
            else:
                pane.body.scroll_page_down()
