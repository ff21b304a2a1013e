"""A slider for the strength: 0 to 2 in steps of 0.1, with the safe limit marked."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from assistant.profile.steering import strength_number

LOWEST, HIGHEST, STEPS = 0.0, 2.0, 20


class StrengthSlider(Widget, can_focus=True):
    """The strength of steering; 1 is the calibrated dose."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h,minus", "change(-1)", "Weaker", id="strength.down"),
        Binding("right,l,plus", "change(1)", "Stronger", id="strength.up"),
        Binding("home", "move_to(0)", "None", show=False, id="strength.none"),
        Binding("c", "move_to(10)", "Calibrated", id="strength.calibrated"),
    ]

    strength: reactive[float] = reactive(1.0)
    safe: reactive[float] = reactive(1.0, layout=True)

    class Changed(Message):
        """The person moved the slider."""

        def __init__(self, strength: float) -> None:
            super().__init__()
            self.strength = strength

    @property
    def steps(self) -> int:
        """The step of the slider at which the strength is, or nearest to it."""
        return round(self.strength * 10)

    def show(self, strength: float, safe: float) -> None:
        """Show a strength and the limit up to which no harm was measured."""
        self.strength = min(HIGHEST, max(LOWEST, strength))
        self.safe = safe

    def render(self) -> Content:
        """Track with knob and safe limit, the number, and what it means."""
        limit = round(min(HIGHEST, self.safe) * 10)
        track: list[Content | tuple[str, str]] = []
        for step in range(STEPS + 1):
            shade = "$text-warning" if step > limit else "$text-accent"
            style = shade if step <= self.steps else "dim"
            line = "━" if step <= self.steps else "╌" if step > limit else "─"
            knob, mark = step == self.steps, step == limit
            track.append(("●" if knob else "┃" if mark else line, "bold " + style if knob else style))
            if step < STEPS:
                rest = "╌" if step >= limit else "─"
                track.append(("━" if step < self.steps else rest, style if step < self.steps else "dim"))
        note, style = self._note()
        return Content.assemble(*track, (f"  {strength_number(self.strength)}", "bold"), "\n", (note, style))

    def _note(self) -> tuple[str, str]:
        if self.strength > self.safe:
            return f"⚠ past the safe limit {self.safe:.1f}: replies may repeat or drift", "$text-warning"
        if self.strength == 0:
            return "0 switches the vector off", "dim"
        return f"1.0 is the calibrated strength · safe up to {self.safe:.1f} (┃)", "dim"

    def action_change(self, by: int) -> None:
        """Move by a step of 0.1."""
        self.action_move_to(self.steps + by)

    def action_move_to(self, steps: int) -> None:
        """Move to a number of steps."""
        moved = min(STEPS, max(0, steps)) / 10
        if moved != self.strength:
            self.strength = moved
            self.post_message(self.Changed(moved))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None and offset.y == 0 and offset.x <= 2 * STEPS:
            self.action_move_to(round(offset.x / 2))
