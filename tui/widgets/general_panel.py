"""Everything in the settings schema, drawn from it; a line above it searches."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Input, Static

from assistant.app import Assistant
from assistant.errors import AssistantError
from tui.hints import KeyInput
from tui.widgets.setting_row import SettingRow, Value


class GeneralPanel(Vertical):
    """A row a setting; what is changed is saved at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+r", "reset", "Back to the default", id="general.reset"),
    ]

    def __init__(self, assistant: Assistant) -> None:
        super().__init__()
        self._assistant = assistant

    def compose(self) -> ComposeResult:
        yield KeyInput("Find a setting · {settings.find}", id="find-setting")
        with VerticalScroll(can_focus=False):
            yield from self._rows()
            yield Static("No setting has these words.", classes="hint", id="no-setting")

    def _rows(self) -> ComposeResult:
        settings = self._assistant.settings
        for name, section in type(settings).model_fields.items():
            values = getattr(settings, name)
            if not isinstance(values, BaseModel):
                continue
            title, defaults = section.title or name, type(values)()
            if name == "sampling":  # it belongs to the model
                values, defaults = self._assistant.sampling, self._assistant.sampling_defaults
                title = f"{title} · of the model in use"
            with Vertical(classes="settings-section"):
                yield Static(title, classes="title")
                for key, field in type(values).model_fields.items():
                    choices = sorted(self.app.available_themes) if (name, key) == ("appearance", "theme") else []
                    yield SettingRow(name, key, field, getattr(values, key), getattr(defaults, key), choices)

    def on_mount(self) -> None:
        self.query_one("#no-setting").display = False

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id != "find-setting":
            return
        event.stop()
        words = event.value.casefold().split()
        for section in self.query(".settings-section"):
            title = str(section.query_one(".title", Static).content)
            for row in section.query(SettingRow):
                row.display = all(word in f"{title} {row.words}".casefold() for word in words)
            section.display = any(row.display for row in section.query(SettingRow))
        self.query_one("#no-setting").display = not any(row.display for row in self.query(SettingRow))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "find-setting":
            event.stop()
            self.screen.focus_next()

    def find(self) -> None:
        """Go to the line that searches."""
        self.query_one("#find-setting", Input).focus()

    def action_reset(self) -> None:
        """Give the setting in which one is its default back."""
        focused = self.screen.focused
        row = next((one for one in focused.ancestors if isinstance(one, SettingRow)), None) if focused else None
        if row is not None and row.changed:
            self._save(row, None)
        elif row is not None:
            row.accept(None)  # what was written there and refused

    def on_setting_row_changed(self, event: SettingRow.Changed) -> None:
        event.stop()
        self._save(event.row, event.value)

    def _save(self, row: SettingRow, value: Value | None) -> None:
        try:
            self._change(row, value)
        except AssistantError as error:
            row.show_problem(str(error))
            return
        row.accept(value)
        if (row.section, row.key) == ("appearance", "theme"):
            self.app.theme = self._assistant.settings.appearance.theme

    def _change(self, row: SettingRow, value: Value | None) -> None:
        if row.section != "sampling":
            self._assistant.change_setting(row.section, row.key, value)
        elif not isinstance(value, str):
            self._assistant.change_sampling(row.key, value)
