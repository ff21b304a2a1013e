"""The window is closed in the middle of a reply: every process ends, what was said is there at the next start."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.assistant.conftest import COMMAND, CommandLine, children, command_environment, prepare_home, query, wait_gone
from tests.tiny_models import write_tiny_model
from tests.trust.terminal import PLACEHOLDER, Terminal, has_history

STREAMING = "SELECT length(text) FROM messages WHERE role = 'assistant' AND state = 'streaming'"


@pytest.mark.parametrize("how", ["closed", "hung up", "ended", "killed"])
def test_nothing_runs_on_and_what_came_is_kept(tmp_path: Path, how: str):
    home = prepare_home(tmp_path / "home", write_tiny_model(tmp_path / "tiny.gguf"), length=100_000, context=100_000)
    with Terminal([*COMMAND, "--home", str(home)], command_environment()) as terminal:
        terminal.wait(lambda: PLACEHOLDER in terminal.written)
        terminal.keys("hello\r")
        terminal.wait(lambda: has_history(home) and any(length for (length,) in query(home, STREAMING)))
        processes = children(terminal.process.pid)
        assert processes
        if how == "closed":
            terminal.close()
        else:
            terminal.process.send_signal(
                {"hung up": signal.SIGHUP, "ended": signal.SIGTERM, "killed": signal.SIGKILL}[how]
            )
        terminal.process.wait(30)
        for process in processes:
            wait_gone(process)
    assert CommandLine(home)("history", "show", "1").returncode == 0
    [(asked, _), (reply, state)] = query(home, "SELECT text, state FROM messages ORDER BY id")
    assert asked == "hello"
    assert reply
    assert state != "streaming"
