"""Two processes on one file, and processes that are killed while they write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from storage.records import MessageState
from storage.store import Store
from tests.storage.conftest import RawQuery

WRITE = """
import sys
from pathlib import Path
from storage.records import MessageState, Origin
from storage.store import Store
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Store(path) as store:
    talk = store.conversations.create(name)
    parent = None
    for number in range(count):
        message = store.messages.add(
            talk.id, parent, "assistant", f"{name} {number}", state=MessageState.STREAMING, origin=Origin.GENERATED)
        store.messages.set_text(message.id, f"{name} {number} more")
        print("text", message.id, flush=True)
        if number % 2:
            store.messages.finish(message.id, text=f"{name} {number} done", state=MessageState.COMPLETE)
            store.feedback.rate(message.id, 1)
            print("rated", message.id, flush=True)
        parent = message.id
"""


def start(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITE, str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("acknowledged", [1, 30, 101])
def test_every_acknowledged_write_survives_a_kill(path: Path, raw: RawQuery, acknowledged: int):
    with start(path, "victim", 100_000) as child:
        lines = [child.stdout.readline() for _ in range(acknowledged)]
        child.kill()
        lines += child.stdout.readlines()
    with Store(path) as store:
        assert store.messages.recover() >= 0
        for line in lines:
            if not line.endswith("\n"):
                continue  # cut off by the kill: never acknowledged
            kind, number = line.split()
            message = store.messages.get(int(number))
            assert message.text.endswith(("more", "done"))
            if kind == "rated":
                assert (message.rating, message.state) == (1, MessageState.COMPLETE)
        leaf = store.conversations.list()[0].active_leaf_id
        assert all(m.state in (MessageState.STOPPED, MessageState.COMPLETE) for m in store.messages.branch(leaf))
        raw("INSERT INTO messages_fts (messages_fts, rank) VALUES ('integrity-check', 1)")
    assert raw("PRAGMA integrity_check") == [("ok",)]
    assert raw("PRAGMA foreign_key_check") == []


def test_processes_write_at_once(path: Path, raw: RawQuery):
    writers = [start(path, name, 150) for name in ("left", "right")]
    with Store(path) as store:
        for number in range(20):
            store.writing.add("", f"text {number}", "typed")
            store.writing.delete(number + 1)
        for writer in writers:
            writer.communicate(timeout=30)
            assert writer.returncode == 0
        assert {talk.title for talk in store.conversations.list()} == {"left", "right"}
        for talk in store.conversations.list():
            branch = store.messages.branch(talk.active_leaf_id)
            endings = ("more", "done")
            assert [m.text for m in branch] == [f"{talk.title} {n} {endings[n % 2]}" for n in range(150)]
    assert raw("SELECT count(*) FROM messages") == [(300,)]
    assert raw("PRAGMA integrity_check") == [("ok",)]
