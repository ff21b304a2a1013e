"""Programs on one history at once, killed at random moments: what was acknowledged is there, what was forgotten not."""

from __future__ import annotations

import random
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.automatic import back_up_daily, is_whole
from storage.errors import NotFoundError
from storage.records import MessageState
from storage.store import Store
from tests.storage.conftest import RawQuery

PROGRAM = """
import sys
from pathlib import Path
from storage.records import EffectKey, EffectRecord, MessageState, Origin, message_item_id
from storage.store import Store
path, kind, start, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

def told(*words):
    print(kind, *words, flush=True)

def chat(store, number):
    talk = store.conversations.create(f"chat {number}")
    own = store.messages.add(
        talk.id, None, "user", f"asked {number}", state=MessageState.COMPLETE, origin=Origin.TYPED)
    told("said", own.id, number)
    reply = store.messages.add(
        talk.id, own.id, "assistant", "", state=MessageState.STREAMING, origin=Origin.GENERATED)
    for end in range(1, 6):
        store.messages.set_text(reply.id, " ".join([f"streamed {number}"] * end))
        told("streamed", reply.id, number, end)
    store.messages.finish(reply.id, text=f"finished {number}", state=MessageState.COMPLETE)
    told("finished", reply.id, number)

def effects(store, number):
    item = f"item:{number}"
    key = EffectKey(item, "c", "e", "m")
    store.effects.put_many([EffectRecord(key, item, (0, 1), (1, 2), (-1.0, -2.0), (-3.0, float(-number)))])
    told("effect", item, number)

def forget(store, number):
    talk = store.conversations.create(f"secret {number}")
    own = store.messages.add(
        talk.id, None, "user", f"unspeakable{number}word", state=MessageState.COMPLETE, origin=Origin.TYPED)
    told("secret", own.id, number)
    store.conversations.delete(talk.id)
    told("forgotten", own.id, number)

with Store(path) as store:
    for number in range(start, start + count):
        {"chat": chat, "effects": effects, "forget": forget}[kind](store, number)
told("done")
"""
KINDS = ("chat", "effects", "forget")


def start(path: Path, kind: str, first: int, count: int = 100_000) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(path), kind, str(first), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines_until_killed(programs: list[subprocess.Popen[str]], enough: int, chance: random.Random) -> list[list[str]]:
    """What the programs acknowledged until they were killed, each at a moment of its own, after `enough` lines."""
    seen, waiting = [], {program.stdout: program for program in programs}
    while len(seen) < enough:
        for stream in select.select(list(waiting), [], [], 30)[0]:
            seen.append(waiting[stream].stdout.readline())
    for program in chance.sample(programs, len(programs)):
        time.sleep(chance.uniform(0, 0.02))  # the moment itself, in whatever the program is doing
        program.kill()
    for program in programs:
        left, errors = program.communicate(timeout=30)
        assert errors == ""
        seen += left.splitlines(keepends=True)
    return [line.split() for line in seen if line.endswith("\n")]  # a line cut off was never acknowledged


@pytest.mark.parametrize("seed", range(3))
def test_everything_acknowledged_survives_kills(path: Path, raw: RawQuery, seed: int):
    chance = random.Random(seed)
    acknowledged: list[list[str]] = []
    while len(acknowledged) < 300 or not any(event == "forgotten" for _, event, *_ in acknowledged):
        programs = [start(path, kind, len(acknowledged) * 1000 + 1) for kind in KINDS]
        acknowledged += lines_until_killed(programs, chance.randrange(5, 60), chance)
    with Store(path) as store:
        store.messages.recover()
        for _, event, *told in acknowledged:
            check(store, event, told)
        raw("INSERT INTO messages_fts (messages_fts, rank) VALUES ('integrity-check', 1)")
        assert raw("PRAGMA integrity_check") == [("ok",)]
        assert raw("PRAGMA foreign_key_check") == []
        assert raw("SELECT * FROM erasures") == []
    assert is_whole(path)
    forgotten = [number for _, event, _, number in (line for line in acknowledged if line[1] == "forgotten")]
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert [number for number in forgotten if f"unspeakable{number}word".encode() in content] == []


def check(store: Store, event: str, told: list[str]) -> None:
    """One acknowledged write is in the history."""
    number = told[1]
    if event == "said":
        assert store.messages.get(int(told[0])).text == f"asked {number}"
    elif event == "streamed":
        text = store.messages.get(int(told[0])).text
        assert text == f"finished {number}" or text.count(f"streamed {number}") >= int(told[2])
    elif event == "finished":
        message = store.messages.get(int(told[0]))
        assert (message.text, message.state) == (f"finished {number}", MessageState.COMPLETE)
    elif event == "effect":
        assert store.effects.for_items([told[0]])[-1].logp_without[1] == -float(number)
    elif event == "forgotten":
        with pytest.raises(NotFoundError):
            store.messages.get(int(told[0]))


def test_programs_at_once_lose_nothing_and_are_never_told_to_wait(path: Path):
    """A chat, a rebuild, one that forgets, and a backup each time something is said."""
    with Store(path) as store:
        programs = {
            kind: start(path, kind, 1, count) for kind, count in (("chat", 40), ("effects", 150), ("forget", 15))
        }
        talk = store.conversations.create("counted")
        for number in range(30):
            store.conversations.rename(talk.id, f"renamed {number}")
            for copy in path.parent.glob("*.daily-*"):
                copy.unlink(missing_ok=True)
            back_up_daily(path)
        for program in programs.values():
            lines, errors = program.communicate(timeout=120)
            assert (program.returncode, errors) == (0, "")
            assert lines.endswith("done\n")
        finished = [m.text for m in store.messages.replies()]
        assert finished == [f"finished {number}" for number in range(1, 41)]
        assert len(store.effects.for_items(f"item:{number}" for number in range(1, 151))) == 150
        assert {talk.title for talk in store.conversations.list()} == {
            "renamed 29",
            *(f"chat {number}" for number in range(1, 41)),
        }
