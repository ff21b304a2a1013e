"""Shares and margins against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import sem, t

from steering.evaluation.following.summary import Ranked, differences, following, margins, ranked
from steering.evaluation.following.table import following_markdown
from steering.evaluation.names import UNSTEERED


def test_the_margin_is_how_much_less_likely_the_violating_option_is():
    assert margins([2.0, 2.5, 1.75, 2.0], 0) == [0.5, -0.25, 0.0]
    assert margins([2.0, 2.5, 1.75, 2.0], 2) == [0.25, 0.75, 0.25]


def test_pairs_of_all_questions_count_alike_and_a_tie_is_not_right():
    # Six pairs: +0.5, -0.25, 0 of the first question; -1, +2, +1 of the second.
    found = ranked([[2.0, 2.5, 1.75, 2.0], [3.0, 2.0, 5.0, 4.0]], [0, 0])
    assert (found.share, found.pairs) == (0.5, 6)
    assert found.margin == pytest.approx((0.5 - 0.25 + 0 - 1 + 2 + 1) / 6)


def test_questions_may_have_different_numbers_of_options():
    found = ranked([[1.0, 2.0], [1.0, 0.0, 0.5, 0.25]], [0, 0])
    assert (found.share, found.pairs) == (0.25, 4)
    assert found.margin == pytest.approx((1 - 1 - 0.5 - 0.75) / 4)


def people() -> dict[str, dict[str, Ranked]]:
    return {
        "unsteered": {"a": Ranked(0.5, 0.1, 24), "b": Ranked(0.75, 0.3, 24)},
        "both": {"a": Ranked(0.75, 0.4, 24), "b": Ranked(0.75, 0.2, 24)},
        "other-person": {"b": Ranked(0.5, 0.5, 24)},
    }


def test_figures_are_means_over_people_and_changes_are_paired():
    found = following(people())
    both = found["both"]
    assert (both["people"], both["pairs"], both["share_right"]) == (2, 48, 0.75)
    assert both["margin"] == pytest.approx(0.3)
    assert both["share_change"] == pytest.approx(0.125)
    assert both["margin_change"] == pytest.approx((0.3 - 0.1) / 2)
    assert both["people_better"] == 0.5
    for name, values in (("margin_ci", [0.2, 0.4]), ("margin_change_ci", [-0.1, 0.3])):
        students = t.interval(0.95, 1, np.mean(values), sem(values))
        assert both[name] == pytest.approx(students, rel=0.03)
    assert found["unsteered"]["share_change"] == found["unsteered"]["margin_change"] == 0
    # Against the same person, not against the mean of all.
    assert found["other-person"]["share_change"] == pytest.approx(-0.25)
    assert found["other-person"]["margin_change"] == pytest.approx(0.2)


def test_differences_are_of_the_people_who_have_both():
    found = differences(people(), [("both", "other-person"), ("both", "vector")])
    assert found.keys() == {"both>other-person"}
    pair = found["both>other-person"]
    assert pair["people"] == 1
    assert pair["share_change"] == pytest.approx(0.25) and pair["margin_change"] == pytest.approx(-0.3)


def test_the_table_shows_shares_in_percent_and_changes_in_points():
    methods = following(people())
    for name, method in methods.items():
        method["kl_neutral"] = {"unsteered": 0.0, "both": 0.25}.get(name)
    outcome = {
        **{"people": 2, "each": 8, "pairs_scored": 48, "left_out": 3, "model": "m.gguf", "kl": 0.1},
        **{"methods": methods, "differences": differences(people(), [("both", "other-person")])},
    }
    table = following_markdown(outcome)
    assert "2 people of 8 preferences, 48 pairs, 3 lines left out; m.gguf; vectors at KL 0.1" in table
    both, plain = methods["both"], methods["unsteered"]
    ends = {name: " to ".join(f"{end:+.3f}" for end in both[name]) for name in ("margin_ci", "margin_change_ci")}
    low, high = both["share_change_ci"]
    assert (
        f"| both | 75.0% | 75.0% to 75.0% | +12.5 | {100 * low:+.1f} to {100 * high:+.1f} | +0.300 "
        f"| {ends['margin_ci']} | +0.100 | {ends['margin_change_ci']} | 50% | 0.250 |" in table
    )
    shares = " to ".join(f"{end:.1%}" for end in plain["share_right_ci"])
    margins = " to ".join(f"{end:+.3f}" for end in plain["margin_ci"])
    assert f"| unsteered | 62.5% | {shares} |  |  | +0.200 | {margins} |  |  |  | 0.000 |" in table
    assert "| both>other-person | 1 | +25.0 | – | -0.300 | – |" in table


def test_a_share_stays_within_its_bounds():
    own = {user: Ranked(share, 0.1, 10) for user, share in (("a", 0.5), ("b", 1.0), ("c", 1.0))}
    low, high = following({UNSTEERED: own})[UNSTEERED]["share_right_ci"]
    assert 0 < low < 0.83 < high == 1.0
