"""Some hundred cases for every parser, shrunk by hypothesis where one fails; `python -m tests.fuzz` runs as many as one
likes. What was once found is in `found/PARSER/`, and is read here each time.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import PARSERS

FOUND = Path(__file__).parent / "found"
REGRESSIONS = sorted(path.relative_to(FOUND) for path in FOUND.glob("*/*"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(chance=st.randoms(use_true_random=False))
def test_cases_that_hypothesis_chooses(folder: Path, name: str, chance: Random):
    PARSERS[name].run(PARSERS[name].make(chance), folder)


@pytest.mark.parametrize("name", PARSERS)
def test_the_first_cases_of_the_long_run(folder: Path, name: str):
    for case in range(200):
        PARSERS[name].run(PARSERS[name].make(Random(case)), folder)


@pytest.mark.parametrize("name", PARSERS)
def test_a_case_is_drawn_from_its_number_alone(name: str):
    make = PARSERS[name].make
    assert [make(Random(case)) for case in range(30)] == [make(Random(case)) for case in range(30)]


@pytest.mark.parametrize("found", REGRESSIONS, ids=str)
def test_what_was_found_stays_mended(folder: Path, found: Path):
    PARSERS[found.parts[0]].run((FOUND / found).read_bytes(), folder)
