"""Rebuild: one button, then stages, counts, time left and a way to cancel."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.signal import Signal
from textual.widgets import Button, Static

from assistant.app import Assistant
from assistant.profile.counted import counted
from assistant.profile.influence import Influential, influential
from assistant.profile.left_out import left_out_in_words
from assistant.records import Outcome
from assistant.visible import one_line, sanitise
from tui.figures import bar, duration, likelier
from tui.hints import keys_of, with_keys
from tui.rebuild_job import RebuildJob
from tui.stages import stage_words, stages_to_come
from tui.telling import telling
from tui.text import literal
from tui.widgets.confirm import ConfirmModal
from tui.widgets.preferences.chart import gain_chart

BAR_WIDTH = 40
MOVED_MOST, TEXT_WIDTH = 3, 60


class RebuildPanel(VerticalScroll, can_focus=False):
    """Shows the app's rebuild; leaving the panel does not end it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "ask_cancel", "Cancel rebuild", id="rebuild.cancel"),
    ]

    class Wanted(Message):
        """The person asks for a rebuild."""

    def __init__(self, assistant: Assistant, job: RebuildJob, changed: Signal[RebuildJob]) -> None:
        super().__init__()
        self._assistant = assistant
        self._job = job
        self._changed = changed

    def compose(self) -> ComposeResult:
        yield Static(id="rebuild-intro", classes="section")
        with Horizontal(classes="buttons"):
            yield Button("Rebuild preferences", variant="primary", id="rebuild-start")
            cancel = Button("Cancel", id="rebuild-cancel")
            cancel.display = self._job.running
            yield cancel
        yield Static(id="rebuild-progress", classes="section")

    def on_mount(self) -> None:
        self._changed.subscribe(self, self._redraw)
        self.set_interval(1.0, self._tick)
        self._redraw(self._job)

    def _tick(self) -> None:
        if self._job.running:
            self.query_one("#rebuild-progress", Static).update(self._running_text())

    def name_keys(self) -> None:
        self._redraw(self._job)

    def show_count(self) -> None:
        """Say how many texts would be learned from."""
        with telling(self):
            items = self._assistant.preferences.items()
            current = self._assistant.profiles.current()
            kept = " Your own description is kept." if current is not None and current.description_edited else ""
            text = (
                "Finds which of your words are yours rather than the question's, and steers the model with them.\n"
                f"{counted(items)}.{kept} You can go on chatting meanwhile."
            )
            self.query_one("#rebuild-intro", Static).update(Content(text))
            if not self._job.running:
                self._expect(text)

    @work(exclusive=True, group="expectation")
    async def _expect(self, intro: str) -> None:
        """Say what a rebuild will take, after a look into the model file."""
        with telling(self):
            news = (await self._assistant.offer.news()).words
            expected = sanitise((await self._assistant.rebuild.expectation()).words)
            if not self._job.running:
                page = keys_of(self)["settings.general"]
                needs = f"{expected[0].upper()}{expected[1:]}. “What learns” on page {page} changes that."
                text = f"{intro}\n{news[0].upper()}{news[1:]}.\n{needs}"
                self.query_one("#rebuild-intro", Static).update(Content(text))

    def _redraw(self, job: RebuildJob) -> None:
        start, cancel = self.query_one("#rebuild-start", Button), self.query_one("#rebuild-cancel", Button)
        if cancel.display != job.running:  # not at every step: the whole history is read for it
            self.show_count()
        had_focus = start.has_focus or cancel.has_focus
        start.display, cancel.display = not job.running, job.running
        if had_focus:
            (cancel if job.running else start).focus()
        self.query_one("#rebuild-progress", Static).update(self._running_text() if job.running else self._ended_text())
        self.refresh_bindings()

    def _running_text(self) -> Content:
        progress = self._job.progress
        if progress is None:
            return Content.styled("◌ starting…", "dim")
        lines = [Content.assemble(("  ✓ ", "$text-success"), stage_words(stage)) for stage in self._job.stages[:-1]]
        lines.append(Content.assemble(("  ▸ ", "bold $text-accent"), (stage_words(progress.stage), "bold")))
        done, total = progress.done, progress.total
        figures = f"  {done:,}/{total:,}" if total else ""
        lines.append(Content.assemble(("    " + bar(done, total, BAR_WIDTH), "$text-accent"), figures))
        lines.append(self._times())
        lines += [Content.styled(f"  ○ {words}", "dim") for words in stages_to_come(progress)]
        return Content("\n").join(lines)

    def _times(self) -> Content:
        left = self._job.seconds_left
        rest = f"about {duration(left)} left" if left is not None else "time left not known yet"
        return Content.styled(f"    {duration(self._job.elapsed)} so far · {rest}", "dim")

    def _ended_text(self) -> Content:
        if self._job.cancelled:
            return Content.styled("■ Cancelled. What was scored is kept; the next rebuild is faster.", "$text-warning")
        if self._job.trouble:
            return Content.assemble(("✗ ", "bold $text-error"), (sanitise(self._job.trouble), "$text-error"))
        if self._job.result is None:
            return Content("")
        return self._done_text()

    def _done_text(self) -> Content:
        result = self._job.result
        if result is None:
            return Content("")
        outcome, version = result.profile.outcome, result.profile.version
        if result.unchanged:
            return Content(f"✓ Nothing has changed since version {version}.")
        head = Content.styled(f"✓ Version {version} in {duration(sum(outcome.seconds.values()))}", "bold $text-success")
        missed = Content.styled(f"Left out: {left_out_in_words(outcome)}.", "dim")
        if not outcome.recommended:
            return Content("\n").join([head, literal(f"Nothing is switched on by itself: {outcome.reason}"), missed])
        percent = likelier(outcome.gain_nats_per_token)
        gain = f"Your words became {percent:.1f} % likelier. See “What I think you like”."
        chart = gain_chart(outcome, self._assistant.profiles.state().strength)
        drawn = [Content(""), chart] if chart else []
        return Content("\n").join([head, Content(gain), missed, *self._moved_most(outcome), *drawn])

    def _moved_most(self, outcome: Outcome) -> list[Content]:
        """The texts that the vector hangs on most."""
        found: list[Influential] = []
        with telling(self):
            found = influential(outcome, self._assistant.preferences.items())[:MOVED_MOST]
        lines = [f"  {one.share:>5.1%}  “{one_line(one.text, TEXT_WIDTH)}”" for one in found]
        head = with_keys(self, "Moved the vector most (page {settings.outcome} opens them and takes them out):")
        return [literal(line, "dim") for line in ([head, *lines] if lines else [])]

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "rebuild-start":
            self.post_message(self.Wanted())
        else:
            self._job.cancel()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Esc asks only while there is something to cancel."""
        return self._job.running if action == "ask_cancel" else True

    @work
    async def action_ask_cancel(self) -> None:
        """Ask, then cancel."""
        question = "Cancel the rebuild? What it has scored so far is kept. (Leaving this screen lets it go on.)"
        if await self.app.push_screen_wait(ConfirmModal(question, "Cancel the rebuild", "Go on")):
            self._job.cancel()
