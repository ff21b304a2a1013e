"""The phrases that are the person's: how strong, how often, where from, and a veto."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable

from assistant.profile.preferences import Preferences
from assistant.records import Phrase
from assistant.visible import one_line
from tui.telling import telling

PHRASE_WIDTH, ROWS = 36, 60
BAR_CELLS = 10


class PhraseTable(Vertical):
    """Phrases, the most telling first; enter leads to the text, v vetoes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,w", "why", "Why?", id="phrase.why"),
        Binding("v", "veto", "Veto or allow", id="phrase.veto"),
    ]

    class Why(Message):
        """The person wants to see where a phrase comes from."""

        def __init__(self, item_id: str) -> None:
            super().__init__()
            self.item_id = item_id

    def __init__(self, preferences: Preferences) -> None:
        super().__init__()
        self._preferences = preferences
        self._phrases: tuple[Phrase, ...] = ()

    def compose(self) -> ComposeResult:
        yield DataTable[Content](cursor_type="row", id="phrases")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_column("Phrase", width=PHRASE_WIDTH)
        table.add_column("Effect", width=BAR_CELLS + 7)
        table.add_column("Times", width=5)
        table.add_column("", width=8)

    def show(self, phrases: tuple[Phrase, ...]) -> None:
        """Show phrases in their order: that of the mean effect, in which what everybody writes comes late."""
        self._phrases = phrases[:ROWS]
        vetoed = set(self._preferences.vetoed_phrases())
        table = self.query_one(DataTable)
        row = table.cursor_row
        table.clear()
        strongest = max((one.effect for one in self._phrases), default=1.0)
        for phrase in self._phrases:
            table.add_row(*_cells(phrase, strongest, phrase.text in vetoed), height=1)
        table.move_cursor(row=row)

    def _current(self) -> Phrase | None:
        row = self.query_one(DataTable).cursor_row
        return self._phrases[row] if 0 <= row < len(self._phrases) else None

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_why()

    def action_why(self) -> None:
        """Go to the text in which the phrase has the largest effect."""
        phrase = self._current()
        if phrase is not None and phrase.item_ids:
            self.post_message(self.Why(phrase.item_ids[0]))

    def action_veto(self) -> None:
        """Never take the phrase for a preference, or take that back."""
        phrase = self._current()
        if phrase is None:
            return
        with telling(self):
            if phrase.text in self._preferences.vetoed_phrases():
                self._preferences.allow_phrase(phrase.text)
            else:
                self._preferences.veto_phrase(phrase.text)
                self.notify("The next rebuild leaves this phrase out.", timeout=3)
            self.show(self._phrases)


def _cells(phrase: Phrase, strongest: float, vetoed: bool) -> tuple[Content, ...]:
    filled = max(1, round(BAR_CELLS * phrase.effect / strongest)) if strongest > 0 else 0
    effect = Content.assemble(("█" * filled + " " * (BAR_CELLS - filled), "$accent"), f" {phrase.effect:5.1f}")
    return (
        Content.styled(one_line(phrase.text, PHRASE_WIDTH), "strike dim" if vetoed else ""),
        effect,
        Content(f"{phrase.count:>5}"),
        Content.styled("✗ vetoed", "$text-warning") if vetoed else Content(""),
    )
