"""The time left of a rebuild: never better than what its stages took, worse on a slower machine."""

from __future__ import annotations

import pytest

from assistant.rebuild import eta
from assistant.rebuild.protocol import StageProgress
from steering.progress import STAGES

LAST = dict.fromkeys(STAGES, 10.0)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands where the test puts it."""
    now = [0.0]
    monkeypatch.setattr(eta.time, "monotonic", lambda: now[0])
    return now


def left_after(clock, seconds: float, stage: str, done: int = 0, total: int = 1) -> float | None:
    clock[0] = 0.0
    timing = eta.TimeLeft(LAST)
    clock[0] = seconds
    return timing.progress(StageProgress(stage, done, total)).seconds_left


def test_nothing_is_said_before_there_is_something_to_go_by(clock):
    assert left_after(clock, 0.5, STAGES[0]) is None


def test_as_fast_as_last_time(clock):
    assert left_after(clock, 20.0, STAGES[2]) == pytest.approx(60.0)
    assert left_after(clock, 25.0, STAGES[2], 1, 2) == pytest.approx(55.0)


def test_stages_from_the_cache_do_not_make_the_others_faster(clock):
    assert left_after(clock, 1.0, STAGES[3]) == pytest.approx(50.0)


def test_a_machine_half_as_fast_takes_twice_as_long(clock):
    assert left_after(clock, 80.0, STAGES[4]) == pytest.approx(80.0)
