"""People of several outcomes as one table: the means are numpy's over all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from steering.evaluation.summary import TEXT_FIGURES, of_method, pairs_of
from steering.evaluation.table import markdown
from tests.benchmarks.results import pooled


def on_person(user: str, gain: float, **figures: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(("perplexity", "accuracy", *TEXT_FIGURES))
    timed = {"seconds": {"fit": 2.0}, "peak_mib": 900.0, "chosen_kl": 0.1, "curve": [], "kl_neutral": 0.1}
    return {"user_id": user, "gain": gain, **nothing, **timed, **figures}


def outcome(model: str = "m.gguf", **gains: dict[str, float]) -> dict[str, Any]:
    methods = {
        name.replace("_", "-"): of_method([on_person(user, gain) for user, gain in own.items()])
        for name, own in gains.items()
    }
    kind = {"model": model, "fingerprint": model, "kl": 0.1, "methods_version": 2}
    return {"people": 2, "left_out": 1, **kind, "methods": methods, "pairs": pairs_of(methods)}


def test_people_of_two_runs_are_counted_together():
    first = outcome(caa={"a": 0.1, "b": 0.3}, steerx_caa={"a": 0.2, "b": 0.5})
    second = outcome(caa={"c": -0.1}, steerx_caa={"c": 0.2, "d": 0.9})
    found = pooled([first, second])
    assert (found["people"], found["left_out"]) == (4, 2)
    assert found["methods"]["caa"]["gain_mean"] == pytest.approx(np.mean([0.1, 0.3, -0.1]))
    assert found["methods"]["steerx-caa"]["share_helped"] == 1.0
    pair = found["pairs"]["steerx-caa>caa"]
    assert (pair["people"], pair["better"]) == (3, 3)
    assert pair["diff"] == pytest.approx(np.mean([0.1, 0.2, 0.3]))


def test_who_was_measured_again_counts_once():
    found = pooled([outcome(caa={"a": 0.1, "b": 0.3}), outcome(caa={"b": 0.5})])
    assert found["people"] == 2 and found["methods"]["caa"]["gain_mean"] == pytest.approx(0.3)


def test_one_outcome_stays_as_it_is():
    one = outcome(caa={"a": 0.1, "b": 0.3}, random={"a": -0.1, "b": 0.0})
    found = pooled([one])
    assert found["methods"] == one["methods"] and found["pairs"] == one["pairs"]


def test_models_are_not_mixed():
    with pytest.raises(ValueError, match=r"model is .*other\.gguf"):
        pooled([outcome(caa={"a": 0.1}), outcome("other.gguf", caa={"b": 0.1})])
    with pytest.raises(ValueError, match="no outcome"):
        pooled([])


def test_the_table_shows_what_was_measured_and_for_how_many_it_is_better():
    one = outcome(caa={"a": 0.1, "b": 0.3}, steerx_caa={"a": 0.2, "b": 0.2})
    low, high = one["pairs"]["steerx-caa>caa"]["ci"]
    row = f"| steerx-caa>caa | +0.0000 | {low:+.4f} to {high:+.4f} | 2 (1 for the first) |"
    assert row in markdown(one).splitlines()
    assert "ROUGE" not in markdown(one) and "KL" in markdown(one)
    asked = of_method([on_person("a", 0.1, rouge_l=0.25), on_person("b", 0.1)])
    assert "| ROUGE-L |" in markdown(one | {"methods": {"caa": asked}})


def test_the_table_says_where_a_row_is_over_fewer_people():
    shown = markdown(outcome(caa={"a": 0.1, "b": 0.3}, other_person={"a": 0.2}))
    assert "| caa |" in shown and "| other-person (1 people) |" in shown
