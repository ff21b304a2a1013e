"""A text area that tells what is pasted into it."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.widgets import TextArea
from textual.widgets.text_area import Edit, EditResult

from assistant.history.pastes import Pastes


class PastingArea(TextArea):
    """Tells `pastes` what comes in by the terminal's paste or by the paste key, and what is taken out."""

    def __init__(self, pastes: Pastes, text: str = "", **options: Any) -> None:
        super().__init__(text, **options)
        self._pastes = pastes

    def edit(self, edit: Edit) -> EditResult:
        """Change the text; what a person cut out of it is theirs when they paste it again."""
        result = super().edit(edit)
        self._pastes.removed(result.replaced_text)
        return result

    def action_paste(self) -> None:
        """Paste what was copied in this program."""
        if not self.read_only:
            self._pastes.pasted(self.app.clipboard, into=self.text)
        super().action_paste()

    async def _on_paste(self, event: events.Paste) -> None:
        event.prevent_default()
        event.stop()
        if not self.read_only:
            self._pastes.pasted(event.text, into=self.text)
        await super()._on_paste(event)
