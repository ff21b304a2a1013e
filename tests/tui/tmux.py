"""The program in a tmux of its own: keys go in, the pane is read, and what was seen is kept as a recording."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

INSTALLED = shutil.which("tmux") is not None
LOOKS_A_SECOND = 10


class Tmux:
    """A pane that runs one command; the server ends with the block."""

    def __init__(self, folder: Path, command: Sequence[str], environment: Mapping[str, str], size=(110, 32)) -> None:
        self._socket, self._command = folder / "tmux.socket", list(command)
        self._environment = {**environment, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self._size = size
        self.recording = folder / "recording.txt"
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        width, height = map(str, self._size)
        self._tmux("-f", os.devnull, "new-session", "-d", "-x", width, "-y", height, *self._command)
        self._tmux("set-option", "-g", "remain-on-exit", "on")
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        self._tmux("kill-server")
        if error:
            error.add_note(f"What was on the screen until then: {self.recording}")

    @property
    def pid(self) -> int:
        return int(self._tmux("display-message", "-p", "#{pane_pid}"))

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names: "Enter", "F4", "C-q", or one character."""
        self._tmux("send-keys", *names)

    def write(self, text: str) -> None:
        """Type a text as it is."""
        self._tmux("send-keys", "-l", text)

    def kill_and_open_again(self) -> None:
        """SIGKILL to the program, as when the machine goes down, then the same command in the same pane."""
        os.kill(self.pid, signal.SIGKILL)
        self._record("killed")
        self._tmux("respawn-pane", "-k", *self._command)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def wait(self, what: str, ready: Callable[[str], bool], seconds: float = 120) -> str:
        """Look at the pane until it shows something; what is seen then is recorded under the name `what`."""
        end = time.monotonic() + seconds
        while not ready(screen := self.screen()):
            assert time.monotonic() < end, f"never came: {what}\n{screen}"
            time.sleep(1 / LOOKS_A_SECOND)
        self._record(what)
        return screen

    def shows(self, *words: str, seconds: float = 120) -> str:
        """Wait until all of these stand on the screen, however lines are broken."""
        return self.wait(" + ".join(words), lambda screen: all(word in _flat(screen) for word in words), seconds)

    def _record(self, what: str) -> None:
        with self.recording.open("a", encoding="utf-8") as file:
            file.write(f"=== {self.elapsed:6.1f} s  {what}\n{self.screen()}\n")

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self._socket), *arguments]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, encoding="utf-8", timeout=30, check=False
        )
        assert done.returncode == 0 or arguments[0] == "kill-server", (arguments, done.stderr)
        return done.stdout


def _flat(screen: str) -> str:
    return " ".join(screen.split())
