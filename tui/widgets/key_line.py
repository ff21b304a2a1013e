"""The line of keys at the foot of a screen: those that fit, whole; the help that lists all is always among them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from textual import events
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

HELP = "help"
GAP = 1


def fitting(widths: Sequence[int], kept: Collection[int], room: int) -> list[int]:
    """Places of what fits into `room` columns, in order: all that is `kept`, then the first of the rest."""
    room -= sum(widths[place] for place in kept)
    chosen = []
    for place, width in enumerate(widths):
        if place in kept:
            chosen.append(place)
        elif width <= room:
            chosen.append(place)
            room -= width
    return chosen


class KeyLine(Footer):
    """Keys of where the focus is come first, then those of the screen, then those that hold everywhere."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False, compact=True)
        self._composed_for = 0

    def compose(self) -> ComposeResult:
        keys = [widget for widget in super().compose() if isinstance(widget, FooterKey)]
        widths = [Content(f"{key.key_display} {key.description}").cell_length + GAP for key in keys]
        kept = {place for place, key in enumerate(keys) if key.action == HELP}
        self._composed_for = self.app.size.width
        room = self._composed_for - self.styles.padding.width + GAP  # none after the last
        for place in fitting(widths, kept, room):
            yield keys[place]

    def on_resize(self, _: events.Resize) -> None:
        if self.app.size.width != self._composed_for:
            self.call_after_refresh(self.recompose)
