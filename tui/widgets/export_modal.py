"""Write the shown conversation to a file; its ending says in which form."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from assistant.errors import AssistantError
from assistant.history.exporting import Exporting
from tui.hints import Hint
from tui.path_suggester import PathSuggester, expanded, is_file
from tui.text import literal
from tui.widgets.confirm import ConfirmModal

FORMATS = {".md": "markdown", ".json": "json", ".jsonl": "jsonl"}
INTRO = ".md to read the shown branch · .json for all there is, to import it again · .jsonl a line a conversation"


class ExportModal(ModalScreen[Path | None]):
    """Closes with the file that was written, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "Cancel", id="export.cancel")]

    def __init__(self, exporting: Exporting, conversation_id: int, path: str = "") -> None:
        """`path` is where to write it at once; the dialog stays only where that does not go."""
        super().__init__()
        self._path = path
        self._exporting = exporting
        self._conversation = conversation_id

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static("Export this conversation", classes="title")
            yield Static(INTRO, classes="question")
            path = self._path or f"~/conversation-{self._conversation}.md"
            yield Input(path, suggester=PathSuggester(), select_on_focus=False, compact=True, id="export-path")
            yield Static(id="export-trouble")
            yield Hint("enter writes it · → completes the path · {export.cancel} cancels", classes="hint")

    async def on_mount(self) -> None:
        if self._path:
            await self.query_one(Input).action_submit()

    @work
    async def on_input_submitted(self, event: Input.Submitted) -> None:
        target = expanded(event.value)
        file_format = FORMATS.get(target.suffix.lower())
        if file_format is None:
            self._say("the path has to end in .md, .json or .jsonl")
            return
        force = is_file(target)
        if force and not await self.app.push_screen_wait(ConfirmModal(f"Replace {target}?", "Replace")):
            return
        try:
            self._exporting.write(target, file_format, [self._conversation], force=force)
        except AssistantError as error:
            self._say(str(error))
            return
        self.dismiss(target)

    def _say(self, trouble: str) -> None:
        self.query_one("#export-trouble", Static).update(literal(f"✗ {trouble}", "$text-error"))

    def action_cancel(self) -> None:
        self.dismiss(None)
