"""Gain against strength as a small chart, aligned with the slider above it: measured points, safe range, strength."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from textual.content import Content
from textual.widgets import Static

from assistant.figures import count
from assistant.profile.steering import strength_number
from assistant.records import Outcome, StrengthPoint
from tui.widgets.slider import HIGHEST, STEPS

ROWS, COLUMNS, MARGIN = 4, 2 * STEPS + 1, 10
"""Of the plot: a step of the slider is two columns; the margin is as wide as what stands before the slider."""
TICKS = (0.0, 0.5, 1.0, 1.5, 2.0)
DOTS_DOWN, DOTS_ACROSS = 4, 2
"""Of a character of Braille, with the dots' bits by row and column."""
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BRAILLE = 0x2800

_Part = tuple[str, str]


class GainChart(Static):
    """The chart of the version in use; takes no room where there is none."""

    DEFAULT_CSS = "GainChart { height: auto; margin: 1 0 0 0; text-wrap: nowrap; text-overflow: ellipsis; }"

    def show(self, outcome: Outcome, strength: float) -> None:
        """Draw it anew."""
        chart = gain_chart(outcome, strength)
        self.display = bool(chart)
        self.update(chart)


def gain_chart(outcome: Outcome, strength: float) -> Content:
    """The chart, 7 lines of at most 76 columns; empty where no strength of a vector was measured."""
    points = sorted((p for p in outcome.curve if 0 <= p.strength <= HIGHEST), key=lambda point: point.strength)
    if not points or outcome.form not in ("vector", "both"):
        return Content("")
    # Without a description, strength 0 is the plain model: nothing gained, nothing lost.
    line = [(0.0, 0.0)] if outcome.form == "vector" else []
    line += [(point.strength, point.gain) for point in points]
    gains = [0.0, *(gain for _, gain in line)]
    scale = _Scale(min(gains), max(gains))
    rows = [_title(line, points, strength), *_plot(line, points, strength, outcome.safe_strength, scale)]
    return Content("\n").join([*rows, _ticks(), _safe_range(outcome.safe_strength)])


class _Scale:
    """From gains to dots and rows, the highest gain first; zero is always on it."""

    def __init__(self, lowest: float, highest: float) -> None:
        self.lowest, self.highest = lowest, highest
        self._span = highest - lowest or 1.0

    def dot(self, gain: float) -> int:
        return round((self.highest - gain) / self._span * (ROWS * DOTS_DOWN - 1))

    def row(self, gain: float) -> int:
        return self.dot(gain) // DOTS_DOWN

    def labels(self) -> dict[int, str]:
        """What stands beside a row: the highest and the lowest gain, and zero, which comes before them."""
        ends = {self.row(gain): f"{gain:+z.3f}" for gain in (self.lowest, self.highest)}
        return ends | {self.row(0.0): "0"}


def _column(strength: float) -> int:
    return round(min(HIGHEST, max(0.0, strength)) * STEPS)


def _title(line: Sequence[tuple[float, float]], points: Sequence[StrengthPoint], strength: float) -> Content:
    at = _between(line, strength)
    about = "" if any(point.strength == strength for point in points) else "about "
    gain = "" if at is None else f", {about}{at:+z.3f}"
    measured = f"Gain in nats/token, measured at {count(len(points), 'strength')} · "
    return Content.assemble(
        (measured, "dim"), ("┊", "bold $text-accent"), f" in use: {strength_number(strength)}{gain}"
    )


def _between(line: Sequence[tuple[float, float]], strength: float) -> float | None:
    """The gain at a strength by the straight line between its neighbours; None where it has none on one side."""
    after = bisect_left(line, strength, key=lambda point: point[0])
    if after == len(line) or (after == 0 and line[0][0] != strength):
        return None
    (right, high), (left, low) = line[after], line[max(0, after - 1)]
    return high if right == left else low + (high - low) * (strength - left) / (right - left)


def _plot(
    line: Sequence[tuple[float, float]],
    points: Sequence[StrengthPoint],
    strength: float,
    safe: float,
    scale: _Scale,
) -> list[Content]:
    drawn = _line_cells(line, scale)
    measured = {(scale.row(point.gain), _column(point.strength)): point.strength <= safe for point in points}
    labels, zero, used, limit = scale.labels(), scale.row(0.0), _column(strength), _column(safe)
    rows = []
    for row in range(ROWS):
        label = labels.get(row, "")
        cells: list[_Part] = [(f"{label:>{MARGIN - 2}} ", "dim"), ("┤" if label else "│", "dim")]
        for column in range(COLUMNS):
            colour = "$text-accent" if column <= limit else "$text-warning"
            if (row, column) in measured:
                cells.append(("●" if measured[row, column] else "○", f"bold {colour}"))
            elif column == used:
                cells.append(("┊", "bold $text-accent"))
            elif (row, column) in drawn:
                cells.append((chr(_BRAILLE + drawn[row, column]), colour))
            else:
                cells.append(("╌" if row == zero else " ", "dim"))
        rows.append(Content.assemble(*cells))
    return rows


def _line_cells(line: Sequence[tuple[float, float]], scale: _Scale) -> dict[tuple[int, int], int]:
    """The line through the points, as the bits of the Braille characters that it runs through."""
    places = [(_column(strength) * DOTS_ACROSS, scale.dot(gain)) for strength, gain in line]
    cells: dict[tuple[int, int], int] = {}
    for (left, first), (right, last) in pairwise(places):
        steps = max(right - left, abs(last - first))
        for step in range(steps + 1):
            across = left + round((right - left) * step / max(1, steps))
            down = first + round((last - first) * step / max(1, steps))
            cell = (down // DOTS_DOWN, across // DOTS_ACROSS)
            cells[cell] = cells.get(cell, 0) | _BITS[down % DOTS_DOWN][across % DOTS_ACROSS]
    return cells


def _ticks() -> Content:
    text = [" "] * (MARGIN + COLUMNS + 2)
    for tick in TICKS:
        label = f"{tick:g}"
        start = MARGIN + _column(tick) - len(label) // 2
        text[start : start + len(label)] = label
    return Content.styled("".join(text).rstrip() + "  strength", "dim")


def _safe_range(safe: float) -> Content:
    """Brackets below the axis; what lies beyond is told by its word and its other line."""
    limit = _column(safe)
    within = "├" + _centred(" safe ", limit - 1, "─") + "┤" if limit else "┤"
    beyond = _centred(" beyond ", COLUMNS - 1 - limit, "╌")
    return Content.assemble(" " * MARGIN, (within, "$text-success"), (beyond, "$text-warning"))


def _centred(word: str, width: int, line: str) -> str:
    return word.center(width, line) if len(word) <= width else line * width
