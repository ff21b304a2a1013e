"""An engine with a mistake of ours in it: it ends with a word that helps, and none of the conversation."""

from __future__ import annotations

import subprocess
import sys

BROKEN = """
from assistant.engine import worker

def handle(self, request):
    raise RuntimeError("what somebody wrote")

worker.Worker.handle = handle
worker.main()
"""


def test_an_unforeseen_error_ends_the_engine_at_once_and_names_its_place() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", BROKEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as engine:
        assert engine.stdin and engine.stderr
        engine.stdin.write(b"{}\n")
        engine.stdin.flush()  # and stays open: the reader is in the middle of a read
        assert engine.wait(60) == 1
        said = engine.stderr.read()
    assert b"RuntimeError at <string>:5 < worker.py:" in said
    assert b"somebody" not in said
