"""A text coloured by what the person causes in it; each level has a lettering of its own, too."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from assistant.records import Measure, Span
from tui.text import literal

LEVELS: tuple[tuple[str, str, dict[Measure, float]], ...] = (
    ("bold underline on $accent 45%", "strong", {"ratio": 2.0, "difference": 0.2}),
    ("underline on $accent 30%", "clear", {"ratio": 1.0, "difference": 0.1}),
    ("italic on $accent 15%", "slight", {"ratio": 0.3, "difference": 0.05}),
)
"""A style, its name in the legend, and from which effect (nats, or difference of probabilities) it holds."""


def effect_style(span: Span, measure: Measure) -> str:
    """Style of a token with this effect; empty where the question explains it."""
    return next((style for style, _, least in LEVELS if span.by(measure) >= least[measure]), "")


def heatmap(text: str, spans: Sequence[Span], measure: Measure = "ratio") -> Content:
    """The text, each span in the style of its effect; gaps are plain, overlaps go to the earlier span."""
    parts: list[Content] = []
    at = 0
    for span in sorted(spans, key=lambda one: one.start):
        start, end = max(at, span.start), min(len(text), span.end)
        if end > start:
            parts += [literal(text[at:start]), literal(text[start:end], effect_style(span, measure))]
            at = end
    return Content.assemble(*parts, literal(text[at:]))


def legend() -> Content:
    """What the colours mean."""
    samples: list[tuple[str, str] | str] = []
    for style, name, _ in reversed(LEVELS):
        samples += [(f" {name} ", style), "  "]
    return Content.assemble(("caused by you: ", "dim"), *samples, ("plain: the question explains it", "dim"))
