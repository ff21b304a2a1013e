"""Temporary files lie inside the home, and what a killed program left is gone at the next start."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from assistant.app import Assistant
from assistant.paths import resolve_paths
from assistant.scratch import remove_abandoned, scratch_folder
from tests.assistant.conftest import CommandLine, children, prepare_home, wait_gone
from tests.storage.test_import_databases import OTERM, made
from tests.tiny_models import write_tiny_model


@pytest.fixture
def gone() -> int:
    """The number of a process that was there and is not any more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_what_a_dead_process_left_goes_and_what_lives_stays(tmp_path: Path, gone: int):
    paths = resolve_paths(tmp_path / "home")
    paths.create()
    left = [
        *(paths.cache / "tmp" / str(gone), paths.estimators / f"abc.{gone}.new"),
        *(paths.cache / f"tunings.json.{gone}.new", paths.profiles / f".mix.gguf.{gone}.new"),
        paths.data / f"history.db.daily-2026-01-01.{gone}.partial",
    ]
    kept = [
        *(paths.cache / "tmp" / str(os.getpid()), paths.cache / "tmp" / "1", paths.profiles / "version-1.gguf"),
        *(paths.profiles / "version-2.new", paths.config / "settings.toml", paths.data / "models" / f"m.{gone}.new"),
        *(paths.data / "history.db", paths.data / f"history.db.{os.getppid()}.partial"),
    ]
    for path in (*left, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir() if path.parent.name in ("tmp", "estimators") else path.write_text("x")
    link = paths.cache / "tmp" / f"{gone}0000"
    link.symlink_to(tmp_path, target_is_directory=True)
    remove_abandoned(paths)
    assert [path for path in left if path.exists()] == []
    assert [path for path in kept if not path.exists()] == []
    assert tmp_path.is_dir()


def test_it_is_private_whatever_the_umask(tmp_path: Path):
    before = os.umask(0)
    try:
        folder = scratch_folder(tmp_path / "cache")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent, tmp_path / "cache")} == {0o700}


def test_a_chat_that_is_killed_leaves_nothing_after_the_next_start(tmp_path: Path):
    home = prepare_home(tmp_path / "home", write_tiny_model(tmp_path / "tiny.gguf"), length=100_000)
    with CommandLine(home).start("chat", "hello") as process:
        assert process.stdout is not None
        process.stdout.read(1)
        engines = children(process.pid)
        own = home / "cache" / "tmp" / str(process.pid)
        assert own.is_dir()
        process.send_signal(signal.SIGKILL)
    for engine in engines:
        wait_gone(engine)
    assert own.is_dir()
    assert CommandLine(home)("history", "list").returncode == 0
    assert not own.exists()


IMPORT_UNTIL_KILLED = """
import os, signal, sys
from pathlib import Path
from storage.importers import read_entries
from storage.entries import ReadOptions
from assistant.scratch import scratch_folder
folder = scratch_folder(Path(sys.argv[2]))
for entry in read_entries(Path(sys.argv[1]), ReadOptions(folder)):
    assert list(folder.rglob("copy.db"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_an_import_that_is_killed_leaves_no_copy_after_the_next_start(tmp_path: Path):
    source = made(tmp_path / "store.db", OTERM)
    connection = sqlite3.connect(source)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("UPDATE chat SET name = 'Moss'")
    connection.commit()
    home = tmp_path / "home"
    paths = resolve_paths(home)
    paths.create()
    command = [sys.executable, "-c", IMPORT_UNTIL_KILLED, str(source), str(paths.cache)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    connection.close()
    assert list(paths.cache.rglob("copy.db"))
    await Assistant.open(home).close()
    assert [path for path in paths.cache.rglob("*") if path.is_file()] == []
