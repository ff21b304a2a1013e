"""Work in the background comes last, and says what went wrong where a person can do something about it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from assistant.channel import Decoder, encode
from assistant.evaluation.protocol import Evaluated, EvaluationFailed
from assistant.one_task import AUTOGROUP, NICENESS, NO_MEMORY

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


FAILING = """
from assistant.evaluation.protocol import Evaluated, EvaluationFailed
from assistant.one_task import learn
import torch

def work(_request, _emit):
    {failure}

learn((Evaluated,), work, EvaluationFailed)
"""


def ended(failure: str) -> subprocess.CompletedProcess[bytes]:
    """A task that ends with the failure."""
    command = [sys.executable, "-c", FAILING.format(failure=failure)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as task:
        task.stdin.write(encode(Evaluated()))
        task.stdin.flush()  # and not closed: that would be the end of the app
        said, complaint = task.stdout.read(), task.stderr.read()
    return subprocess.CompletedProcess(command, task.returncode, said, complaint)


@pytest.mark.parametrize(
    "failure",
    [
        "raise MemoryError",
        "raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 20.00 MiB')",
        "torch.empty(2**60, dtype=torch.uint8)",
    ],
)
def test_memory_that_runs_out_is_said(failure):
    told = Decoder((EvaluationFailed,)).decode(ended(failure).stdout)
    assert told == EvaluationFailed(NO_MEMORY)


def test_another_failure_is_none_that_a_person_can_act_on():
    broken = ended("raise RuntimeError('mat1 and mat2 shapes cannot be multiplied')")
    assert broken.returncode != 0 and not broken.stdout and b"mat1" in broken.stderr
