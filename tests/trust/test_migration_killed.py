"""A large history of the first version is opened by the real program, which is killed while it brings it up to date."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from sqlite_utils.migrations import Migrations

from storage.automatic import back_up_daily, is_whole
from storage.database import Database
from storage.migrations import MIGRATIONS, history
from storage.store import Store
from tests.assistant.conftest import CommandLine, prepare_home

MESSAGES = 6000
WHEN = "2026-01-01T00:00:00Z"
FIRST = "0001_history"


def words(number: int) -> str:
    chance = Random(number)
    return f"message{number} " + " ".join(f"w{chance.randrange(20_000)}" for _ in range(150))


def old_history(path: Path) -> None:
    """A history as the first version left it: one long conversation, some megabytes."""
    first = Migrations(MIGRATIONS.name)
    first(name=FIRST)(history)
    with closing(Database(path, first)) as db, db.transaction():
        db.write("INSERT INTO conversations (title, created_at, updated_at) VALUES ('long', ?, ?)", (WHEN, WHEN))
        db.write_many(
            "INSERT INTO messages (conversation_id, parent_id, role, text, state, origin, created_at) "
            "VALUES (1, ?, ?, ?, 'complete', 'typed', ?)",
            (
                (number - 1 or None, "user" if number % 2 else "assistant", words(number), WHEN)
                for number in range(1, MESSAGES + 1)
            ),
        )


def looked_at(path: Path) -> tuple[set[str], list[tuple[str]], list[tuple[str]]]:
    """The steps that are recorded, all texts and what SQLite says of the file, by a connection of the test's own."""
    with closing(sqlite3.connect(path)) as raw:
        steps = {name for (name,) in raw.execute("SELECT name FROM _sqlite_migrations")}
        texts = raw.execute("SELECT text FROM messages ORDER BY id").fetchall()
        return steps, texts, raw.execute("PRAGMA integrity_check").fetchall()


def killed_when(ready: Callable[[], bool], program: subprocess.Popen[bytes]) -> int:
    """Kill the program as soon as something is so; returns how it ended."""
    while program.poll() is None and not ready():
        pass
    program.kill()
    program.communicate(timeout=60)
    return program.returncode


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def moment(path: Path, chance: Random) -> Callable[[], bool]:
    """Some point of the copy that is made first, or of the log that the migration then fills."""
    enough = chance.uniform(0, 0.6) * size(path)
    if chance.randrange(3) == 0:
        return lambda: any(size(copy) > enough for copy in path.parent.glob("*.partial"))
    log = path.with_name(f"{path.name}-wal")
    return lambda: any(path.parent.glob("*.before-*[!l]")) and size(log) > enough


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_half_done_and_the_next_start_migrates(tmp_path: Path, seed: int):
    cli = CommandLine(prepare_home(tmp_path / "home", tmp_path / "none.gguf"))
    path, chance = cli.home / "data" / "history.db", Random(seed)
    old_history(path)
    written = [(words(number),) for number in range(1, MESSAGES + 1)]
    ways, tries = [], 0
    while len(ways) < 5 and tries < 20:
        tries += 1
        ended = killed_when(moment(path, chance), cli.start("history", "list"))
        steps, texts, said = looked_at(path)
        assert (texts, said) == (written, [("ok",)])
        assert all(is_whole(copy) for copy in path.parent.glob("*.before-*[!l]"))
        if steps != {FIRST}:  # killed just after the last word of the transaction: all of it counts
            assert ended in (0, -signal.SIGKILL)
            assert steps > {FIRST, "0007_drafts"}
            for file in path.parent.glob("history.db*"):
                file.unlink()
            old_history(path)
            continue
        assert ended == -signal.SIGKILL
        ways.append(ended)
    assert len(ways) == 5
    assert b"long" in cli("history", "list").stdout
    steps, texts, said = looked_at(path)
    assert "0007_drafts" in steps
    assert (texts, said) == (written, [("ok",)])
    (copy,) = path.parent.glob("*.before-*[!l]")
    assert looked_at(copy) == ({FIRST}, written, [("ok",)])
    with Store(path) as store:
        assert [hit.message_id for hit in store.search.search("message4321")] == [4321]
    for made in path.parent.glob("*.daily-*"):
        made.unlink()
    back_up_daily(path)
    assert list(path.parent.glob("*.partial")) == []
