"""From the bundled model to a larger one, as a person does it: in a real terminal, by keys, against a hub that is slow.

Real are the program and its processes, the terminal, the bundled model's reply, both kills, the rebuild with all its
stages, and every byte of the larger model that comes over HTTP. The hub is not: it runs on 127.0.0.1 and lets through
as much as the test wants. The history is eight short texts and what is typed. In `.ci/run` the larger model is real as
well (Qwen2.5-Coder 0.5B, see tests/larger_model.py); elsewhere it is a small random one, which learns in seconds.

`ASSISTANT_WALK_MODEL=PATH` serves another model, `ASSISTANT_WALK_RECORDING=PATH` keeps what was on the screen. Where
the walk fails, it says where that lies.
"""

from __future__ import annotations

import filecmp
import json
import mmap
import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.assistant.conftest import COMMAND, CommandLine, command_environment, query, wait_gone
from tests.assistant.hub import REPOSITORY, Hub, serving
from tests.assistant.test_rebuild import TEXTS
from tests.tiny_models import write_tiny_model
from tests.tui.tmux import INSTALLED, Tmux

pytestmark = [
    pytest.mark.bundled,
    pytest.mark.skipif(not INSTALLED, reason="tmux is not installed"),
    pytest.mark.timeout(2700),
]

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

    def wait(self, _: int) -> None:
        with self._open:
            self._open.wait_for(lambda: self.hub.sent < self._limit)


@pytest.fixture
def larger(tmp_path) -> Path:
    named = os.environ.get("ASSISTANT_WALK_MODEL")
    return Path(named) if named else write_tiny_model(tmp_path / NAME, blocks=4, width=256)


@pytest.fixture
def tap(larger, monkeypatch):
    tap = Tap()
    with larger.open("rb") as file:  # not read: a larger model would lie in memory, and once more for each download
        contents = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    tap.hub.files, tap.hub.gate = {NAME: contents}, tap.wait
    server = serving(tap.hub)
    monkeypatch.setenv("HF_ENDPOINT", tap.hub.url)
    yield tap
    tap.let(float("inf"))
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(tmp_path) -> Iterator[Path]:
    """A home in which nothing has happened yet; replies are short. The models, up to 1.8 GB, are not left behind."""
    (tmp_path / "home" / "config").mkdir(parents=True)
    (tmp_path / "home" / "config" / "settings.toml").write_text(SETTINGS)
    yield tmp_path / "home"
    for folder in ("data/models", "cache"):
        shutil.rmtree(tmp_path / "home" / folder, ignore_errors=True)


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


def test_from_an_empty_machine_to_a_larger_model(home, tap, larger, tmp_path):
    with Tmux(tmp_path, [*COMMAND, "--home", str(home)], command_environment()) as terminal:
        try:
            first_run(terminal, home)
            download_killed_twice(terminal, home, tap, larger)
            switched(terminal, home)
            rebuilt(terminal, home)
            steered(terminal, home)
        finally:
            if kept := os.environ.get("ASSISTANT_WALK_RECORDING"):
                shutil.copy(terminal.recording, kept)


def first_run(terminal: Tmux, home: Path) -> None:
    """The bundled model answers at once; what is kept and where is said, and a better model is offered."""
    terminal.shows("What you write, the replies and your ratings stay here", "can hold a better one", READY)
    say(terminal, home, "Hello, who are you?")
    terminal.keys("F4")
    terminal.shows("★", "recommended for this machine", "bundled")


def download_killed_twice(terminal: Tmux, home: Path, tap: Tap, larger: Path) -> None:
    """Once the process that downloads dies, once the whole program; both times it goes on where it was."""
    size = larger.stat().st_size
    tap.let(size * 0.4)
    terminal.keys("a")
    terminal.wait("the line for other models has the focus", lambda screen: "Clear cache" not in screen)
    terminal.write(WANTED)
    terminal.keys("Enter")
    terminal.wait("the first part has come", lambda _: part(home) > size * 0.15)
    downloading(terminal.pid).send_signal(signal.SIGKILL)
    terminal.shows("what came is kept")
    first = part(home)
    assert 0 < first < size
    tap.let(size * 0.75)
    go_on(terminal)
    terminal.wait("more has come", lambda _: part(home) > first + size * 0.1)
    orphan = downloading(terminal.pid).pid
    terminal.kill_and_open_again()
    wait_gone(orphan)
    second = part(home)
    terminal.shows("Hello, who are you?", READY)
    tap.let(float("inf"))
    terminal.keys("F4")
    terminal.shows("unfinished download")
    go_on(terminal)
    terminal.shows(f"{NAME} is here")
    assert filecmp.cmp(home / "data/models" / NAME, larger, shallow=False)
    assert {f"bytes={first}-", f"bytes={second}-"} <= set(tap.hub.downloads)
    assert tap.hub.downloads.count(None) == 1
    assert tap.hub.sent < 2 * size  # what had come was not fetched again


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
    """Version 1 is put to use by hand, as it is not by itself where it is in doubt, and steers a reply."""
    terminal.keys("4")
    terminal.shows("Made", "Texts")
    terminal.keys("Enter")
    terminal.shows("▸ 1 in use")
    terminal.keys("Escape")
    terminal.shows("◆ steered · v1")
    say(terminal, home, "And steered?")
    assert query(home, STEERED)[-1] == (1,)
