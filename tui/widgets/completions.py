"""The list above the prompt: what a command that is being written can become."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.prompting.completion import Completion
from tui.text import literal


class CompletionList(OptionList, can_focus=False):
    """Shown while there is something to choose; the prompt's keys move in it, a click takes a line."""

    DEFAULT_CSS = """
    CompletionList {
        display: none; height: auto; max-height: 8; margin: 0 1; padding: 0 1; border: none; background: $surface;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    CompletionList > .option-list--option-highlighted { background: $primary 40%; text-style: bold; }
    """

    class Taken(Message):
        """A line was clicked."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def __init__(self) -> None:
        super().__init__(id="completions")

    def offer(self, choices: Sequence[Completion], chosen: int) -> None:
        """Show these; none hides the list."""
        width = max((len(choice.label) for choice in choices), default=0) + 2
        self.set_options(Option(_line(choice, width, place == chosen)) for place, choice in enumerate(choices))
        self.display = bool(choices)
        self.highlighted = chosen if choices else None

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.post_message(self.Taken(event.option_index))


def _line(choice: Completion, width: int, chosen: bool) -> Content:
    mark = "▸ " if chosen else "  "
    return Content.assemble(mark, literal(choice.label.ljust(width)), literal(choice.help, "dim"))
