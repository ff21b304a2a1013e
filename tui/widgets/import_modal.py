"""Bring a file in: named, looked at, and added only after a question."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from assistant.errors import AssistantError
from assistant.figures import count
from assistant.history.importing import Importing, Preview
from tui.figures import bar
from tui.hints import Hint, with_keys
from tui.moving_words import imported_line, preview_lines
from tui.path_suggester import PathSuggester, expanded
from tui.text import literal

INTRO = (
    "An export of ChatGPT or Claude, a database of llm, oterm or elia, JSON Lines, mails, a text, a folder of them. "
    "Your own words in it are learned from; importing twice adds nothing."
)
BAR_WIDTH = 30
REDRAW_SECONDS = 0.2

Phase = Literal["path", "reading", "asking", "adding", "done"]
HINTS: dict[Phase, str] = {
    "path": "enter looks at it · → completes the path · {import.back} closes",
    "reading": "{import.back} cancels",
    "asking": "{import.add} imports it · {import.back} goes back",
    "adding": "{import.back} cancels; what was added stays",
    "done": "{import.back} closes",
}


class ImportModal(ModalScreen[bool]):
    """Closes with whether anything may have been added."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="import.back"),
        Binding("y", "add", "Import", id="import.add"),
    ]

    def __init__(self, importing: Importing, path: str = "") -> None:
        """`path` is looked at, at once."""
        super().__init__()
        self._path = path
        self._importing = importing
        self._phase: Phase = "path"
        self._preview: Preview | None = None
        self._done = 0
        self._added = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Import a file or folder", classes="title")
            yield Static(INTRO, classes="question")
            yield Input(self._path, placeholder="path", suggester=PathSuggester(), compact=True, id="import-path")
            with VerticalScroll(id="import-found", can_focus=False):
                yield Static(id="import-text")
            yield Input(placeholder="your mail address", compact=True, id="import-me")
            with Horizontal(classes="buttons"):
                yield Button(
                    literal(with_keys(self, "Import it [{import.add}]")),
                    variant="primary",
                    compact=True,
                    id="import-add",
                )
            yield Hint(classes="hint")

    def on_mount(self) -> None:
        self.set_interval(REDRAW_SECONDS, self._tick)
        self._enter("path", Content(""))
        if self._path:
            self._look(self._path, ())

    def _enter(self, phase: Phase, text: Content) -> None:
        self._phase = phase
        self.query_one("#import-text", Static).update(text)
        self.query_one("#import-found").display = bool(text.plain)
        path, me, add = (self.query_one(f"#import-{name}") for name in ("path", "me", "add"))
        path.disabled = phase != "path"
        self.query_one(".question").display = phase == "path"
        asking = phase == "asking" and self._preview is not None
        add.display = asking and self._preview is not None and self._preview.entries > 0
        me.display = asking and self._preview is not None and bool(self._preview.me)
        self.query_one(Hint).say(HINTS[phase])
        self.refresh_bindings()
        self.set_focus(path if phase == "path" else add if add.display else None)

    def _tick(self) -> None:
        if self._phase in ("reading", "adding"):
            self.query_one("#import-text", Static).update(self._progress())

    def _progress(self) -> Content:
        if self._phase == "adding" and self._preview is not None:
            total = self._preview.entries
            return Content(f"{bar(self._done, total, BAR_WIDTH)}  {self._done:,}/{total:,} added")
        return Content.styled(
            f"◌ looking at it: {count(self._done, 'message or text', 'messages and texts')}", "$text-warning"
        )

    def _note(self, done: int) -> None:
        self._done = done

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        path = self.query_one("#import-path", Input).value
        if path.strip():
            me = (event.value,) if event.input.id == "import-me" and event.value.strip() else ()
            self._look(path, me)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_add()

    @work(exclusive=True, group="import")
    async def _look(self, path: str, me: tuple[str, ...]) -> None:
        self._done = 0
        self._enter("reading", Content("◌ looking at it"))
        try:
            self._preview = await self._importing.preview(expanded(path), me=me, progress=self._note)
        except AssistantError as error:
            self._enter("path", literal(f"✗ {error}", "$text-error"))
            return
        self.query_one("#import-me", Input).value = self._preview.me[0] if self._preview.me else ""
        lines = [literal(line) for line in preview_lines(self._preview)]
        self._enter("asking", Content("\n").join(lines))

    @work(exclusive=True, group="import")
    async def _add(self, preview: Preview) -> None:
        self._done, self._added = 0, True
        self._enter("adding", Content("◌ importing"))
        try:
            counts = await self._importing.add(preview, self._note)
        except AssistantError as error:
            self._enter("path", literal(f"✗ {error}", "$text-error"))
            return
        self._enter("done", Content.styled(imported_line(counts), "$text-success"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Add only what was looked at."""
        return self._phase == "asking" if action == "add" else True

    def action_add(self) -> None:
        """Add what was looked at; where another address was written meanwhile, look again first."""
        if self._preview is None or not self._preview.entries:
            return
        me = self.query_one("#import-me", Input)
        if me.display and me.value.strip() not in ("", *self._preview.me):
            self._look(self.query_one("#import-path", Input).value, (me.value.strip(),))
        else:
            self._add(self._preview)

    def action_back(self) -> None:
        """Cancel what runs, go back to the path, or close."""
        if self._phase in ("path", "done"):
            self.dismiss(self._added)
            return
        stopped = "■ cancelled; what was added stays, doing it again adds the rest" if self._phase == "adding" else ""
        self.workers.cancel_group(self, "import")
        self._enter("path", Content.styled(stopped, "$text-warning") if stopped else Content(""))
