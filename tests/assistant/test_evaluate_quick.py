"""Is steering worth anything? Three invented writers, the bundled model: SteerX must gain on their unseen texts."""

from __future__ import annotations

import json
import math

import pytest

from assistant.models.bundled import bundled_model
from tests.assistant.conftest import CommandLine
from tests.assistant.people import write_people

SECONDS = 1800


@pytest.mark.bundled
def test_steerx_gains_on_texts_it_has_not_seen(tmp_path):
    if bundled_model() is None:
        pytest.skip("the bundled model is not installed")
    data, out = write_people(tmp_path / "people.jsonl"), tmp_path / "out.json"
    result = CommandLine(tmp_path / "home")("evaluate", data, "--quick", "--json", out, timeout=SECONDS)
    assert result.returncode == 0, result.stderr.decode()
    found = json.loads(out.read_text())
    assert found["people"] == 3 and found["methods"]["steerx-optimized"]["gain_mean"] > 0
    assert found["methods"]["steerx-optimized"]["share_helped"] == 1.0


def test_without_a_gain_it_fails(tmp_path, monkeypatch):
    from assistant.commands.evaluate import check_gain
    from assistant.errors import AssistantError

    check_gain({"optimized": {"gain_mean": -1.0}, "steerx-optimized": {"gain_mean": 0.01}})
    for gain in (0.0, math.nan):
        with pytest.raises(AssistantError, match="gains nothing"):
            check_gain({"steerx-optimized": {"gain_mean": gain}})
