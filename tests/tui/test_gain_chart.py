"""The chart of gain against strength: within its frame whatever was measured, and moved with the slider."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.records import Outcome, StrengthPoint
from tests.tui.reading import until
from tests.tui.samples import app_of, profile, with_profile
from tui.widgets.preferences.chart import GainChart, gain_chart
from tui.widgets.preferences.gain import gain_text
from tui.widgets.slider import StrengthSlider

PLAIN = profile(3, gain=0.1).outcome
MARGIN = 10


def outcome(*gains: tuple[float, float], safe: float = 1.0, form: str = "vector") -> Outcome:
    curve = tuple(StrengthPoint(strength, gain, 0.1) for strength, gain in gains)
    return replace(PLAIN, curve=curve, safe_strength=safe, form=form)  # type: ignore[arg-type]


def column(strength: float) -> int:
    """Where a strength stands: 2 columns a tenth, from the margin on."""
    return MARGIN + round(20 * strength)


FINITE = st.floats(-100, 100, allow_nan=False)
POINTS = st.lists(st.tuples(st.floats(0, 3, allow_nan=False), FINITE), max_size=12)


@given(POINTS, st.floats(0, 100), st.floats(0, 2), st.sampled_from(["vector", "both", "description", "none"]))
def test_it_keeps_within_eight_lines_of_seventy_six_columns(points, safe, strength, form) -> None:
    content = gain_chart(outcome(*points, safe=safe, form=form), strength)
    lines = content.plain.splitlines()
    assert len(lines) in (0, 7)
    assert all(len(line) <= 76 and line.isprintable() for line in lines)
    assert bool(lines) == (form in ("vector", "both") and any(s <= 2 for s, _ in points))


@given(st.lists(st.tuples(st.sampled_from([0.5, 1.0, 1.5, 2.0]), FINITE), min_size=1, unique_by=lambda p: p[0]))
def test_every_measured_strength_has_a_mark_in_its_column(points) -> None:
    lines = gain_chart(outcome(*points, safe=1.0), 0.2).plain.splitlines()[1:5]
    marks = {at: line[at] for line in lines for at in range(len(line)) if line[at] in "●○"}
    assert marks == {column(strength): "●" if strength <= 1 else "○" for strength, _ in points}


@given(st.lists(FINITE, min_size=4, max_size=4))
def test_a_higher_gain_never_stands_lower(gains) -> None:
    strengths = (0.5, 1.0, 1.5, 2.0)
    lines = gain_chart(outcome(*zip(strengths, gains, strict=True)), 0.2).plain.splitlines()[1:5]
    rows = [next(row for row, line in enumerate(lines) if line[column(s)] in "●○") for s in strengths]
    by_gain = sorted(zip(gains, rows, strict=True))
    assert all(low[1] >= high[1] for low, high in pairwise(by_gain))


@pytest.mark.parametrize("safe", [0.0, 0.7, 1.0, 1.25, 2.0, 5.0])
def test_the_safe_range_ends_where_the_limit_is(safe) -> None:
    last = gain_chart(outcome((1.0, 0.1), safe=safe), 1.0).plain.splitlines()[-1]
    assert last.rindex("┤") == column(min(2.0, safe))
    assert ("safe" in last, "beyond" in last) == (safe > 0, safe < 1.9)


def test_what_is_lost_stands_below_a_line_at_zero() -> None:
    lines = gain_chart(outcome((0.5, 0.2), (1.0, -0.6)), 0.0).plain.splitlines()[1:5]
    labels = [line[:8].strip() for line in lines]
    assert labels == ["+0.200", "0", "", "-0.600"]
    assert "╌" in lines[1]


@pytest.mark.parametrize(
    ("strength", "words"),
    [(1.0, "in use: 1.0, +0.200"), (1.2, "in use: 1.2, about +0.240"), (0.5, "about +0.100"), (1.6, "in use: 1.6")],
)
def test_the_gain_at_the_strength_in_use_is_told_as_far_as_it_was_measured(strength, words) -> None:
    title, *plot = gain_chart(outcome((1.0, 0.2), (1.5, 0.3)), strength).plain.splitlines()
    assert title.endswith(words)
    assert sum(line[column(strength)] in "┊●" for line in plot[:4]) == 4


def test_without_a_vector_alone_nothing_is_said_of_less_than_was_measured() -> None:
    """The description stays away at strength 0 as well, so that there is no line from there."""
    assert gain_chart(outcome((1.0, 0.2), (1.5, 0.3), form="both"), 0.4).plain.splitlines()[0].endswith("in use: 0.4")


def test_whose_texts_judge_is_said() -> None:
    own = outcome((1.0, 0.1))
    assert "texts of yours kept aside" in gain_text(own).plain
    assert "texts kept aside, replies you liked among them, each" in gain_text(replace(own, held_back_liked=True)).plain


async def test_it_moves_with_the_slider(settle) -> None:
    app = app_of(with_profile())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f2", "3")
        await settle(pilot, lambda: app.screen.query_one(GainChart).display)
        chart, slider = app.screen.query_one(GainChart), app.screen.query_one(StrengthSlider)
        slider.focus()
        await pilot.press("right", "right")
        await until(pilot, lambda: "in use: 1.2" in chart.content.plain)
        knob = slider.region.x + slider.render().plain.index("●")
        used = {chart.region.x + line.index("┊") for line in chart.content.plain.splitlines()[1:5] if "┊" in line}
        assert used == {knob}, "the line of the strength in use stands under the knob"


async def test_without_a_gain_there_is_no_chart(settle) -> None:
    app = app_of(with_profile(False))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f2", "3")
        await settle(pilot, lambda: app.screen.query("#gain"))
        assert not app.screen.query_one(GainChart).display
