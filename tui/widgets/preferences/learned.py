"""Learned from: the texts of the history, which of them count, and why."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import DataTable, Static

from assistant.app import Assistant
from assistant.errors import AssistantError
from assistant.figures import count
from assistant.profile.counted import counted
from assistant.profile.left_out import passage_lines, passages_in_words
from assistant.profile.preferences import LearnableItem
from assistant.profile.version import Explanation
from assistant.records import Measure, Reason
from assistant.visible import one_line
from tui.heatmap import heatmap, legend
from tui.hints import Hint, with_keys
from tui.telling import telling
from tui.text import literal
from tui.widgets.import_modal import ImportModal
from tui.widgets.preferences.sources import SOURCES
from tui.widgets.text_modal import TextModal

ASKED_WIDTH = 240
TEXT_WIDTH = 120
COMPARED_WIDTH = 60


class LearnedPanel(Vertical):
    """The items, each of which can be taken out, with a closer look at one of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_item", "Use or leave out", id="learned.toggle"),
        Binding("a", "add_text", "Add a text", id="learned.add"),
        Binding("i", "import_file", "Import", tooltip="Import a file or folder", id="learned.import"),
        Binding("m", "change_measure", "Other measure", id="learned.measure"),
        Binding(
            "p",
            "claim",
            "Pasted is mine",
            tooltip="What was pasted into this text is yours, or is not",
            show=False,
            id="learned.claim",
        ),
    ]

    def __init__(self, assistant: Assistant) -> None:
        super().__init__()
        self._assistant = assistant
        self._items: dict[str, LearnableItem] = {}
        self._measure: Measure = "ratio"

    def compose(self) -> ComposeResult:
        yield Hint(id="learned-summary", classes="hint")
        with Container(id="learned-body"):
            yield DataTable[Content](cursor_type="row", id="items", zebra_stripes=False)
            with VerticalScroll(id="item-detail", can_focus=True):
                yield Static(id="item-text")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_column("Used", key="used", width=10)
        table.add_column("From", key="source", width=7)
        table.add_column("Asked", key="context", width=20)
        table.add_column("Text", key="text", width=TEXT_WIDTH)
        self.show_items()

    def show_items(self) -> None:
        """Read the items anew."""
        table = self.query_one(DataTable)
        row = table.cursor_row
        table.clear()
        with telling(self):
            self._items = {one.item.id: one for one in self._assistant.preferences.items()}
        for key, one in self._items.items():
            item = one.item
            table.add_row(
                _mark(one),
                Content(SOURCES[item.source]),
                Content(one_line(item.context, 20) or "—"),
                Content(one_line(item.text, TEXT_WIDTH)),
                key=key,
            )
        table.move_cursor(row=row)
        self._summarise()
        if not self._items:
            self.query_one("#item-text", Static).update("")

    def show_item(self, item_id: str) -> None:
        """Move to one item."""
        if item_id in self._items:
            table = self.query_one(DataTable)
            table.move_cursor(row=table.get_row_index(item_id))
            table.focus()

    def _summarise(self) -> None:
        text = f"{counted(self._items.values())} · {{learned.toggle}}: out or in · {{learned.add}}: add a text"
        if not self._items:
            text = (
                "Nothing to learn from yet: rate or edit replies, "
                "press {learned.add} to add a text or {learned.import} to import."
            )
        self.query_one("#learned-summary", Hint).say(text)

    def _current(self) -> LearnableItem | None:
        table = self.query_one(DataTable)
        if not table.is_valid_row_index(table.cursor_row):
            return None
        key = table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value
        return self._items.get(key or "")

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        self._show_current()
        self.query_one("#item-detail").scroll_home(animate=False)

    def _show_current(self) -> None:
        if current := self._current():
            self.query_one("#item-text", Static).update(self._detail(current))

    def name_keys(self) -> None:
        self._show_current()

    def action_change_measure(self) -> None:
        """Colour by the log ratio or by the difference of probabilities."""
        self._measure = "difference" if self._measure == "ratio" else "ratio"
        self._show_current()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_toggle_item()

    def _detail(self, one: LearnableItem) -> Content:
        # A long question must not push the text itself out of sight.
        context = Content(one_line(one.item.context, ASKED_WIDTH) or "nobody asked")
        parts = [Content.styled("Asked", "bold dim"), context, Content("")]
        parts += [Content.styled("Your text", "bold dim"), *self._explained(one)]
        return Content("\n").join([*parts, *self._left_out(one)])

    def _left_out(self, one: LearnableItem) -> list[Content]:
        """What of the text is not learned from, and whose what was pasted is."""
        lines = []
        if one.passages:
            lines += [Content(""), literal(f"Left out: {passages_in_words(one.passages)}", "$text-warning")]
            lines += [literal(f"  {line}", "dim") for line in passage_lines(one.passages)]
        if any(passage.reason is Reason.PASTED for passage in one.passages):
            lines.append(Content.styled(with_keys(self, "{learned.claim}: what was pasted is yours, too"), "dim"))
        if one.claimed:
            said = with_keys(self, "What was pasted into it counts as yours, as you said; {learned.claim}: it is not")
            lines += [Content(""), Content.styled(said, "dim")]
        return lines

    def _explained(self, one: LearnableItem) -> list[Content]:
        plain = literal(one.item.text)
        reason = "left out by you" if one.excluded else one.reason
        if reason:
            return [plain, Content(""), literal(f"Not used: {reason}", "$text-warning")]
        try:
            why = self._assistant.profiles.explain(one.item.id)
        except AssistantError as error:
            return [plain, Content(""), literal(str(error), "dim")]
        if why.left_out:
            return [plain, Content(""), literal(f"Not used last time: {why.left_out}", "$text-warning")]
        return [heatmap(why.text, why.spans, self._measure), Content(""), legend(), *self._notes(why)]

    def _notes(self, why: Explanation) -> list[Content]:
        """What the colours are measured by and against, and what they leave out."""
        known = [self._items[item_id] for item_id in why.compared_with if item_id in self._items]
        note = "coloured by how much likelier a word is (log ratio); {learned.measure}: by how much more probable"
        if self._measure == "difference":
            note = "coloured by how much more probable a word is; {learned.measure}: by how much likelier (log ratio)"
        notes = [with_keys(self, note)]
        if why.unscored:
            notes.append(f"the last {why.unscored:,} characters are not scored: the text is too long")
        if not why.compared_with:
            notes.append("nothing earlier to compare with: no word of your first text can be told yours")
        shown = [f"  “{one_line(one.item.text, COMPARED_WIDTH)}”" for one in known]
        lines = [*notes, *([f"compared with {count(len(shown), 'earlier text')} of yours:", *shown] if shown else [])]
        return [Content(""), *(literal(line, "dim") for line in lines)]

    def action_toggle_item(self) -> None:
        """Take the current item out, or back in."""
        one = self._current()
        if one is None:
            return
        with telling(self):
            if one.excluded:
                self._assistant.preferences.include(one.item.id)
            else:
                self._assistant.preferences.exclude(one.item.id)
        self.show_items()

    def action_claim(self) -> None:
        """Say that what was pasted into the current text is one's own, or take that back."""
        one = self._current()
        if one is None:
            return
        with telling(self):
            if one.claimed:
                self._assistant.preferences.disclaim(one.item.id)
            else:
                self._assistant.preferences.claim(one.item.id)
        self.show_items()

    @work
    async def action_add_text(self) -> None:
        """Write or paste a text of one's own."""
        text = await self.app.push_screen_wait(TextModal("A text of your own to learn from"))
        if text:
            with telling(self):
                self._assistant.preferences.add_text(text)
            self.show_items()

    @work
    async def action_import_file(self) -> None:
        """Bring in conversations, mails or texts from a file."""
        if await self.app.push_screen_wait(ImportModal(self._assistant.importing)):
            self.show_items()


def _mark(one: LearnableItem) -> Content:
    if one.excluded:
        return Content.styled("○ left out", "$text-warning")
    return Content.styled("● used", "$text-success") if one.used else Content.styled("– unfit", "dim")
