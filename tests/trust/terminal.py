"""The program in a terminal of its own, as a person opens it: keys go in, every byte that it writes is kept."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.assistant.conftest import query

SECONDS = 90
PLACEHOLDER = b"rite a message"
"""The cursor stands on the first letter."""
REPLIED = "SELECT count(*) FROM messages WHERE role = 'assistant' AND state = 'complete'"


def _open_window() -> None:
    """Its own terminal, so that it is told when the window is closed, also where the tests run under `nohup`."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Terminal:
    """A program on a pseudo terminal of 100 x 30; it must end before the block does."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment, "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""},
            start_new_session=True,
            preexec_fn=_open_window,  # noqa: PLW1509
        )
        os.close(slave)
        self.written = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self) -> None:
        """Close the window."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def keys(self, data: str) -> None:
        os.write(self._master, data.encode())

    def wait(self, ready: Callable[[], bool]) -> None:
        """Read what is written until something is so."""
        end = time.monotonic() + SECONDS
        while not ready():
            assert time.monotonic() < end, self.written[-2000:]
            self._read()

    def ended(self) -> bool:
        return self.process.poll() is not None

    def quit(self) -> int:
        """Leave with ctrl+q."""
        self.keys("\x11")
        self.wait(self.ended)
        return self.process.returncode

    def drain(self) -> None:
        """Read what a program that has ended wrote last."""
        while select.select([self._master], [], [], 0)[0]:
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:
                return
            self.written += data

    def _read(self) -> None:
        if select.select([self._master], [], [], 0.1)[0]:
            try:
                self.written += os.read(self._master, 1 << 16)
            except OSError:  # nobody holds the other end any more
                self.process.wait(SECONDS)


def has_history(home: Path) -> bool:
    """Whether there is a history yet: the prompt takes text before it is opened."""
    there = (home / "data" / "history.db").exists()
    return there and bool(query(home, "SELECT 1 FROM sqlite_master WHERE name = 'messages'"))


def replies(home: Path) -> int:
    return int(query(home, REPLIED)[0][0])


def chat_once(terminal: Terminal, home: Path, words: str) -> None:
    """Say something and wait for the whole reply."""
    terminal.wait(lambda: PLACEHOLDER in terminal.written)  # what comes sooner is thrown away with the old mode
    before = replies(home)
    terminal.keys(words)
    terminal.keys("\r")
    terminal.wait(lambda: replies(home) > before)
