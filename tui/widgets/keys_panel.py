"""All keys, and other keys for what they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable, Static

from assistant.app import Assistant
from assistant.visible import sanitise
from tui.hints import with_keys
from tui.keymap import WITHIN, Section, keymap_of, place, problem_with, tidy
from tui.telling import telling
from tui.widgets.text_modal import LineModal

COLUMNS = (("What it does", 40), ("Keys", 20), ("", 24))
HINT = "{keys.change} gives other keys, commas between them · {keys.reset} gives back the usual ones"


class KeysPanel(Vertical):
    """A row a binding, by place."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "change", "Other keys", id="keys.change"),
        Binding("x", "reset", "Usual keys", id="keys.reset"),
    ]

    class Changed(Message):
        """Other keys hold from now on."""

    def __init__(self, assistant: Assistant, sections: Callable[[], Sequence[Section]]) -> None:
        super().__init__()
        self._assistant = assistant
        self._sections = sections
        self._shown: list[Binding] = []

    def compose(self) -> ComposeResult:
        yield Static(classes="hint")
        yield DataTable[Content](cursor_type="row", id="keys")

    def on_mount(self) -> None:
        for title, width in COLUMNS:
            self.query_one(DataTable).add_column(title, width=width)
        self.show_keys()

    def show_keys(self) -> None:
        """Draw the keys that hold now, and what in the settings cannot be obeyed."""
        wanted = self._assistant.settings.keys
        keymap = keymap_of(wanted, self._sections())
        table = self.query_one(DataTable)
        row = table.cursor_row
        table.clear()
        self._shown = []
        for title, bindings in self._sections():
            for binding in bindings:
                if isinstance(binding, Binding) and binding.id:
                    own = keymap.keys.get(binding.id)
                    what = binding.tooltip or binding.description
                    note = f"usually {binding.key}" if own else place(title).split(WITHIN)[-1]
                    table.add_row(Content(what), Content(own or binding.key), Content.styled(note, "dim"))
                    self._shown.append(binding)
        table.move_cursor(row=row)
        lines = [with_keys(self, HINT), *(sanitise(f"not obeyed: {problem}") for problem in keymap.problems)]
        self.query_one(".hint", Static).update(Content("\n".join(lines)))

    def name_keys(self) -> None:
        self.show_keys()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_change()

    @work
    async def action_change(self) -> None:
        """Ask for other keys of what stands under the cursor."""
        binding = self._under_cursor()
        if binding is None or binding.id is None:
            return
        keys = self._assistant.settings.keys
        title = f"Keys for “{binding.tooltip or binding.description}”"
        text = await self.app.push_screen_wait(LineModal(title, keys.get(binding.id, binding.key)))
        if text is None or not text.strip():
            return
        others = {name: value for name, value in keys.items() if name != binding.id}
        sections = self._sections()
        if problem := problem_with(binding.id, text, sections, keymap_of(others, sections).keys):
            self.notify(sanitise(problem), severity="error", markup=False)
            return
        self._save(binding.id, tidy(text) if tidy(text) != binding.key else None)

    def action_reset(self) -> None:
        """Give what stands under the cursor its usual keys back."""
        binding = self._under_cursor()
        if binding is not None and binding.id in self._assistant.settings.keys:
            self._save(binding.id, None)

    def _save(self, name: str, keys: str | None) -> None:
        with telling(self):
            self._assistant.change_setting("keys", name, keys)
            self.show_keys()
            self.post_message(self.Changed())

    def _under_cursor(self) -> Binding | None:
        row = self.query_one(DataTable).cursor_row
        return self._shown[row] if 0 <= row < len(self._shown) else None
