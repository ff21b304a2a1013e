"""A home with a tiny model whose replies never end by themselves, and the real command line."""

from __future__ import annotations

import os
import re
import select
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from assistant.app import Assistant
from tests.tiny_models import write_tiny_model

PROGRESS = re.compile(r"(read|import): [\d,]+( of [\d,]+)? messages and texts")

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-P", "-m", "assistant.cli")
SETTINGS = """\
[model]
path = "{model}"
context_tokens = {context}
threads = 1

[sampling]
temperature = 0
max_tokens = {length}
dry_multiplier = 0
"""


def prepare_home(home: Path, model: Path | str, *, length: int = 12, context: int = 2048) -> Path:
    """A home whose settings name a model and ask for short greedy replies."""
    (home / "config").mkdir(parents=True, exist_ok=True)
    text = SETTINGS.format(model=model, length=length, context=context)
    (home / "config" / "settings.toml").write_text(text, encoding="utf-8")
    return home


def command_environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **changes}


class CommandLine:
    """`assistant` as a person runs it: a process of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(
        self,
        *arguments: str | Path,
        stdin: str | bytes = b"",
        environment: dict[str, str] | None = None,
        timeout: float = 120,
        **options: Any,
    ) -> subprocess.CompletedProcess[bytes]:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        return subprocess.run(
            [*COMMAND, "--home", str(self.home), *map(str, arguments)],
            input=data,
            capture_output=True,
            env=command_environment(**(environment or {})),
            timeout=timeout,
            check=False,
            **options,
        )

    def start(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [*COMMAND, "--home", str(self.home), *map(str, arguments)],
            env=command_environment(),
            **(pipes | options),
        )


def query(home: Path, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """What a second, raw connection sees: committed rows only."""
    with closing(sqlite3.connect(home / "data" / "history.db")) as connection:
        return connection.execute(sql, parameters).fetchall()


def children(pid: int) -> list[int]:
    """Processes whose parent is `pid`."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_gone(pid: int) -> None:
    """Wait for the end of a process that need not be our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(20_000), f"process {pid} lives on"
    finally:
        os.close(descriptor)


def one_line(result: subprocess.CompletedProcess[bytes]) -> str:
    """The one line that a failed command says; no traceback, and nothing else but how far it was after a second."""
    lines = [line for line in result.stderr.decode().splitlines() if not PROGRESS.fullmatch(line)]
    assert len(lines) == 1, result.stderr.decode()
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.gguf")


@pytest.fixture
def home(tmp_path: Path, tiny: Path) -> Path:
    return prepare_home(tmp_path / "home", tiny)


@pytest.fixture
async def assistant(home: Path) -> AsyncIterator[Assistant]:
    opened = Assistant.open(home)
    yield opened
    await opened.close()


@pytest.fixture
def cli(home: Path) -> CommandLine:
    return CommandLine(home)
