"""All processes are stopped in the middle of a reply, for longer than an engine may be silent: a laptop that sleeps."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from assistant.engine.process import HANG_SECONDS
from tests.assistant.conftest import COMMAND, children, command_environment, prepare_home, query
from tests.tiny_models import write_tiny_model
from tests.trust.terminal import PLACEHOLDER, Terminal, has_history

REPLY = "SELECT text, state FROM messages WHERE role = 'assistant'"


def reply(home: Path) -> tuple[str, str]:
    return next(iter(query(home, REPLY)), ("", ""))


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.parametrize("first", ["app", "engine"])
def test_the_reply_goes_on_by_the_same_engine(tmp_path: Path, first: str):
    """Whichever of them wakes first; the clock that the app waits by has gone on meanwhile."""
    home = prepare_home(tmp_path / "home", write_tiny_model(tmp_path / "tiny.gguf"), length=100_000, context=100_000)
    with Terminal([*COMMAND, "--home", str(home)], command_environment()) as terminal:
        terminal.wait(lambda: PLACEHOLDER in terminal.written)
        terminal.keys("hello\r")
        terminal.wait(lambda: has_history(home) and bool(reply(home)[0]))
        app = terminal.process.pid
        engines = children(app)
        everyone = [app, *engines] if first == "app" else [*engines, app]
        try:
            for pid in everyone:
                os.kill(pid, signal.SIGSTOP)
            terminal.wait(lambda: all(map(is_stopped, everyone)))
            before, state = reply(home)
            assert state == "streaming"
            time.sleep(HANG_SECONDS + 2)  # the sleep itself
            assert reply(home) == (before, state)
        finally:
            for pid in everyone:
                os.kill(pid, signal.SIGCONT)
        terminal.wait(lambda: len(reply(home)[0]) > 1.5 * len(before) + 200)
        after, state = reply(home)
        assert after.startswith(before)
        assert state == "streaming"
        assert children(app) == engines
        terminal.keys("\x1b")
        terminal.wait(lambda: reply(home)[1] == "stopped")
        assert b"hung" not in terminal.written
        assert terminal.quit() == 0
    assert reply(home)[0].startswith(after)
