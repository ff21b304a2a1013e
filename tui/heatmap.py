"""A text coloured by what the person causes in it; strong tokens are also bold and underlined."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from assistant.records import Span
from tui.text import literal

LEVELS = (
    (2.0, "bold underline on $accent 45%", "strong"),
    (1.0, "underline on $accent 30%", "clear"),
    (0.3, "on $accent 15%", "slight"),
)
"""Effect in nats from which a style holds, the style, and its name in the legend."""


def effect_style(effect: float) -> str:
    """Style of a token with this effect in nats; empty where the question explains it."""
    return next((style for least, style, _ in LEVELS if effect >= least), "")


def heatmap(text: str, spans: Sequence[Span]) -> Content:
    """The text, each span in the style of its effect; gaps are plain, overlaps go to the earlier span."""
    parts: list[Content] = []
    at = 0
    for span in sorted(spans, key=lambda one: one.start):
        start, end = max(at, span.start), min(len(text), span.end)
        if end > start:
            parts += [literal(text[at:start]), literal(text[start:end], effect_style(span.effect))]
            at = end
    return Content.assemble(*parts, literal(text[at:]))


def legend() -> Content:
    """What the colours mean."""
    samples: list[tuple[str, str] | str] = []
    for _, style, name in reversed(LEVELS):
        samples += [(f" {name} ", style), "  "]
    return Content.assemble(("caused by you: ", "dim"), *samples, ("plain: the question explains it", "dim"))
