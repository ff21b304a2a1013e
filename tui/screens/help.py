"""Help, drawn from the bindings themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.hints import with_keys
from tui.keymap import Section

KEY_WIDTH = 22


class HelpScreen(ModalScreen[None]):
    """All keys by place; esc closes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,q", "dismiss", "Close", id="help.close"),
    ]

    def __init__(self, sections: Sequence[Section], keys: Mapping[str, str]) -> None:
        super().__init__()
        self._keys = keys
        self._sections = sections

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog -large"):
            for title, bindings in self._sections:
                yield Static(with_keys(self, title), classes="title")
                yield Static(Content("\n").join(self._line(one) for one in bindings if isinstance(one, Binding)))

    def _line(self, binding: Binding) -> Content:
        own = self._keys.get(binding.id or "")
        keys = (not own and binding.key_display) or " ".join(
            self.app.get_key_display(one) for one in Binding.make_bindings([binding.with_key(own or binding.key)])
        )
        return Content.assemble((keys.ljust(KEY_WIDTH), "bold $text-accent"), binding.tooltip or binding.description)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()
