"""From the bundled model to a larger one, as a person does it: in a real terminal, by keys, against a hub that is slow.

The hub serves a small random model: a rebuild with it takes seconds. `ASSISTANT_WALK_MODEL=PATH` serves another one,
`ASSISTANT_WALK_RECORDING=PATH` keeps what was on the screen.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.assistant.conftest import COMMAND, CommandLine, command_environment, query
from tests.assistant.hub import REPOSITORY, Hub, serving
from tests.assistant.test_rebuild import TEXTS
from tests.tiny_models import write_tiny_model
from tests.tui.tmux import INSTALLED, Tmux

pytestmark = [pytest.mark.bundled, pytest.mark.skipif(not INSTALLED, reason="tmux is not installed")]

NAME = "larger-q4_k_m.gguf"
WANTED = f"{REPOSITORY}:{NAME}"
REBUILD_SECONDS = 1800
SETTINGS = "[sampling]\nmax_tokens = 24\ntemperature = 0\n"
READY = "ready"
REPLIES = "SELECT count(*) FROM messages WHERE role = 'assistant' AND state = 'complete'"
STEERED = "SELECT profile_version FROM messages WHERE role = 'assistant' ORDER BY id"


class Tap:
    """Lets a download through up to so many bytes, then holds it."""

    def __init__(self) -> None:
        self._open, self._limit, self.hub = threading.Condition(), 0, Hub()

    def let(self, limit: float) -> None:
        with self._open:
            self._limit = limit
            self._open.notify_all()

    def wait(self) -> None:
        with self._open:
            self._open.wait_for(lambda: self.hub.sent < self._limit)


@pytest.fixture
def larger(tmp_path) -> Path:
    named = os.environ.get("ASSISTANT_WALK_MODEL")
    return Path(named) if named else write_tiny_model(tmp_path / NAME, blocks=4, width=256)


@pytest.fixture
def tap(larger, monkeypatch):
    tap = Tap()
    tap.hub.files, tap.hub.gate = {NAME: larger.read_bytes()}, tap.wait
    server = serving(tap.hub)
    monkeypatch.setenv("HF_ENDPOINT", tap.hub.url)
    yield tap
    tap.let(float("inf"))
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(tmp_path) -> Path:
    """A home in which nothing has happened yet; replies are short."""
    (tmp_path / "home" / "config").mkdir(parents=True)
    (tmp_path / "home" / "config" / "settings.toml").write_text(SETTINGS)
    return tmp_path / "home"


def downloading(pid: int) -> psutil.Process:
    """The process that holds the network."""
    return next(one for one in psutil.Process(pid).children() if "assistant.models.hub.worker" in one.cmdline())


def part(home: Path) -> int:
    """Bytes of the unfinished file."""
    return sum(path.stat().st_size for path in (home / "data/models/.incoming").glob("*.part"))


def say(terminal: Tmux, home: Path, text: str) -> None:
    before = query(home, REPLIES)[0][0]
    terminal.write(text)
    terminal.keys("Enter")
    terminal.wait(f"a reply to: {text}", lambda _: query(home, REPLIES)[0][0] > before)


def test_from_an_empty_machine_to_a_larger_model(home, tap, tmp_path):
    size = len(tap.hub.files[NAME])
    with Tmux(tmp_path, [*COMMAND, "--home", str(home)], command_environment()) as terminal:
        try:
            first_run(terminal, home)
            download_killed_twice(terminal, home, tap, size)
            switched(terminal, home)
            rebuilt(terminal, home)
            steered(terminal, home)
        finally:
            if kept := os.environ.get("ASSISTANT_WALK_RECORDING"):
                shutil.copy(terminal.recording, kept)
    assert tap.hub.sent < 2 * size  # what had come was not fetched again


def first_run(terminal: Tmux, home: Path) -> None:
    """The bundled model answers at once; what is kept and where is said, and a better model is offered."""
    terminal.shows("What you write, the replies and your ratings stay here", "can hold a better one", READY)
    say(terminal, home, "Hello, who are you?")
    terminal.keys("F4")
    terminal.shows("★", "recommended for this machine", "bundled")


def download_killed_twice(terminal: Tmux, home: Path, tap: Tap, size: int) -> None:
    """Once the process that downloads dies, once the whole program; both times it goes on where it was."""
    tap.let(size * 0.4)
    terminal.keys("a")
    terminal.wait("the line for other models has the focus", lambda screen: "Clear cache" not in screen)
    terminal.write(WANTED)
    terminal.keys("Enter")
    terminal.wait("the first part has come", lambda _: part(home) > size * 0.15)
    downloading(terminal.pid).send_signal(signal.SIGKILL)
    terminal.shows("what came is kept")
    came = part(home)
    assert 0 < came < size
    tap.let(size * 0.75)
    go_on(terminal)
    terminal.wait("more has come", lambda _: part(home) > came + size * 0.1)
    terminal.kill_and_open_again()
    terminal.shows("Hello, who are you?", READY)
    tap.let(float("inf"))
    terminal.keys("F4")
    terminal.shows("unfinished download")
    go_on(terminal)
    terminal.shows(f"{NAME} is here")
    assert (home / "data/models" / NAME).read_bytes() == tap.hub.files[NAME]


def go_on(terminal: Tmux) -> None:
    """Put the cursor on the interrupted download, and enter."""
    terminal.shows("unfinished download")
    terminal.keys("Home")
    terminal.keys("Down")
    terminal.shows("enter goes on where it stopped")
    terminal.keys("Enter")


def switched(terminal: Tmux, home: Path) -> None:
    """The larger model answers in the conversation that was begun with the bundled one."""
    terminal.keys("u")
    terminal.shows("answers from now on", "Nothing is learned for it yet")
    terminal.keys("Escape")
    terminal.shows("Hello, who are you?", READY)
    say(terminal, home, "And now?")
    assert query(home, "SELECT count(DISTINCT conversation_id) FROM messages") == [(1,)]
    assert query(home, "SELECT count(DISTINCT model) FROM messages WHERE role = 'assistant'") == [(2,)]


def rebuilt(terminal: Tmux, home: Path) -> None:
    """A small history is brought in by a slash command, and learned from for the larger model."""
    texts = home.parent / "texts.jsonl"
    texts.write_text("".join(json.dumps({"prompt": prompt, "text": text}) + "\n" for prompt, text in TEXTS))
    assert CommandLine(home)("import", texts).returncode == 0
    terminal.keys("F2")
    terminal.shows("Learned from")
    terminal.keys("b")
    terminal.shows("so far")
    terminal.shows("✓ Version 1", seconds=REBUILD_SECONDS)
    with closing(sqlite3.connect(home / "data/history.db")) as connection:
        assert connection.execute("SELECT count(*) FROM profiles").fetchone() == (1,)


def steered(terminal: Tmux, home: Path) -> None:
    """Version 1 is put to use (a random model gains nothing by it, so it is not by itself), and steers a reply."""
    terminal.keys("4")
    terminal.shows("Made", "Texts")
    terminal.keys("Enter")
    terminal.shows("in use")
    terminal.keys("Escape")
    terminal.shows("◆ steered · v1")
    say(terminal, home, "And steered?")
    assert query(home, STEERED)[-1] == (1,)
