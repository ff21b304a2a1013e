"""One setting: what it is, its default, and a control that says in place what is wrong."""

from __future__ import annotations

from pydantic.fields import FieldInfo
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Select, Static, Switch

from assistant.visible import sanitise

NEWLINE = "⏎"
"""Stands for a line break in a field of one line."""

Value = str | float | bool
"""What a setting can be; None in its place means its default."""


class SettingRow(Vertical):
    """A field of the settings schema. `choices` turns it into a list to choose from; an empty number is the default."""

    class Changed(Message):
        """A new value that has the right type; the receiver validates and saves it."""

        def __init__(self, row: SettingRow, value: Value | None) -> None:
            super().__init__()
            self.row = row
            self.value = value

    def __init__(
        self, section: str, key: str, field: FieldInfo, value: Value, default: Value, choices: list[str]
    ) -> None:
        super().__init__(id=f"setting-{section}-{key}")
        self.section = section
        self.key = key
        self._field = field
        self._value = value
        self._default = default
        self._choices = choices

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(self._label(), classes="label")
            yield self._control()
        yield Static(classes="problem")

    def on_mount(self) -> None:
        self.query_one(".problem").display = False

    @property
    def changed(self) -> bool:
        """Whether the value is not the default."""
        return self._value != self._default

    @property
    def words(self) -> str:
        """What the row says, and what it is called in the file."""
        return f"{self._field.title} {self._field.description} {self.section}.{self.key}"

    def _label(self) -> Content:
        default = self._default
        shown = (
            {True: "on", False: "off", "": "empty"}.get(default, default)
            if isinstance(default, str | bool)
            else default
        )
        return Content.assemble(
            (self._field.title or self.key, "bold"),
            (" · changed" if self.changed else "", "$text-accent"),
            "\n",
            (f"{self._field.description or ''} Default: {shown}.", "dim"),
        )

    def _control(self) -> Switch | Input | Select[str]:
        if isinstance(self._value, bool):
            return Switch(self._value, animate=False, classes="control")
        if self._choices:
            chosen = str(self._value)
            return Select.from_values(
                self._choices, allow_blank=chosen not in self._choices, value=chosen, classes="control"
            )
        return Input(self._in_one_line(), compact=True, classes="control")

    def _in_one_line(self) -> str:
        return sanitise(str(self._value)).replace("\n", NEWLINE)

    def show_problem(self, text: str) -> None:
        """Say what is wrong with the value; an empty text says that all is well."""
        problem = self.query_one(".problem", Static)
        problem.update(Content.styled(sanitise(text), "$text-error"))
        problem.display = bool(text)

    def on_switch_changed(self, event: Switch.Changed) -> None:
        event.stop()
        self._take(event.value)

    def on_select_changed(self, event: Select.Changed) -> None:
        event.stop()
        if isinstance(event.value, str):
            self._take(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._take_text(event.value)

    def on_input_blurred(self, event: Input.Blurred) -> None:
        event.stop()
        self._take_text(event.value)

    def _take_text(self, text: str) -> None:
        if isinstance(self._value, str):
            self._take(self._value if text == self._in_one_line() else text.replace(NEWLINE, "\n"))
            return
        if not text.strip():
            self.post_message(self.Changed(self, None))
            return
        try:
            self._take(int(text) if isinstance(self._value, int) else float(text))
        except ValueError:
            self.show_problem("A whole number, please." if isinstance(self._value, int) else "A number, please.")

    def _take(self, value: Value) -> None:
        if value != self._value:
            self.post_message(self.Changed(self, value))
        else:
            self.show_problem("")

    def accept(self, value: Value | None) -> None:
        """The value was saved, or the default is in force again."""
        self._value = self._default if value is None else value
        if value is None:
            self._show_value()
        self.query_one(".label", Static).update(self._label())
        self.show_problem("")

    def _show_value(self) -> None:
        control = self.query(".control").first()
        with control.prevent(Switch.Changed, Select.Changed):
            if isinstance(control, Switch):
                control.value = bool(self._value)
            elif isinstance(control, Input):
                control.value = self._in_one_line()
            elif isinstance(control, Select):
                control.value = str(self._value)
