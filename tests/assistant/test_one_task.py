"""Work in the background comes last: what the kernel says of a process that does it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from assistant.one_task import AUTOGROUP, NICENESS

GIVE_WAY = f"""
import os
from assistant.one_task import give_way
before = os.nice(0)
give_way()
print(os.nice(0) - before)
print(open({str(AUTOGROUP)!r}).read() if os.path.exists({str(AUTOGROUP)!r}) else "")
"""


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What a session of its own is told of itself."""
    command = [sys.executable, "-c", GIVE_WAY]
    ended = subprocess.run(command, start_new_session=True, check=True, capture_output=True, text=True)
    return ended.stdout.split("\n")


def test_the_process_gives_way(said):
    assert said[0] == str(NICENESS)


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="sessions are not scheduled as groups here")
def test_its_session_gives_way(said):
    assert said[1].endswith(f" nice {NICENESS}")
