"""A word that came in by every way, forgotten in every way, is in no byte of any file of the home."""

from __future__ import annotations

import json
import random
import string
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from assistant.app import Assistant
from assistant.profile.steering import plan_steering
from assistant.records import Phrase
from storage.automatic import back_up_before, backups
from storage.records import EffectKey, EffectRecord, message_item_id, writing_item_id
from tests.assistant.conftest import CommandLine
from tests.assistant.made import add_profile, vector_bytes

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le")


def word(seed: int) -> str:
    return "".join(random.Random(seed).choices(string.ascii_lowercase, k=14))


def files_with(home: Path, marker: str) -> set[str]:
    """Files that hold it, whole or without the start that an index leaves out where words share it; or in a name."""
    needles = [part.encode(encoding) for part in (marker, marker[4:]) for encoding in ENCODINGS]
    files = [file for file in home.rglob("*") if file.is_file()]
    named = {file.name for file in home.rglob("*") if marker in file.name}
    return named | {file.name for file in files if any(needle in file.read_bytes().lower() for needle in needles)}


async def collect(events) -> list:
    async with aclosing(events) as stream:
        return [event async for event in stream]


@pytest.fixture
def temporary_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a program puts into the temporary folder is looked at too."""
    (home / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(home / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield
    monkeypatch.setattr(tempfile, "tempdir", None)


async def bring_in(assistant: Assistant, folder: Path, marker: str) -> None:
    """The word in a conversation of another program (in its zip), in texts and in a mail."""
    folder.mkdir(exist_ok=True)
    messages = {
        "a": {"id": "a", "parent": None, "children": ["b"], "message": None},
        "b": {
            "id": "b",
            "parent": "a",
            "children": [],
            "message": {
                "id": "b",
                "author": {"role": "user"},
                "content": {"content_type": "text", "parts": [f"elsewhere I said {marker}"]},
                "create_time": 1.7e9,
            },
        },
    }
    talk = {"id": "1", "title": f"{marker} elsewhere", "create_time": 1.7e9, "mapping": messages, "current_node": "b"}
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        archive.writestr("conversations.json", json.dumps([talk]))
    (folder / "texts.jsonl").write_text(json.dumps({"prompt": f"why {marker}?", "text": f"{marker} it is, I wrote"}))
    (folder / "one.eml").write_text(f"From: me@example.org\nSubject: {marker}\n\nDear all, {marker} is on my mind.\n")
    for name in ("export.zip", "texts.jsonl", "one.eml"):
        counts = await assistant.importing.add(await assistant.importing.preview(folder / name))
        assert counts.messages + counts.texts > 0, name


async def leave_everywhere(home: Path, folder: Path, marker: str) -> dict[str, list[str]]:
    """The word said, edited, streamed, imported, learned from, described, named, backed up; what to forget, by kind."""
    assistant = Assistant.open(home)
    chat, store = assistant.chat, assistant.store
    talk = chat.new_conversation()
    events = await collect(chat.send(talk.id, f"{marker} is what I say first"))
    own, reply = events[0].message, events[-1].message
    await collect(chat.edit_own(own.id, f"I edit {marker.upper()} so"))
    chat.edit_reply(reply.id, f"a reply of mine with {marker} in it")
    for end in range(1, 30):  # a reply that repeats it while it streams
        store.messages.set_text(reply.id, f"{marker} " * end)
    store.messages.set_text(reply.id, "short", reasoning=f"I think of {marker}")
    await collect(chat.regenerate(reply.id))
    chat.rate(reply.id, 1)
    named = chat.new_conversation()
    assistant.history.give_title(named.id, f"About {marker}")
    assistant.history.set_tags(named.id, [marker])
    fork = assistant.history.fork(reply.id)
    binned = chat.new_conversation()
    await collect(chat.send(binned.id, f"thrown away: {marker}"))
    assistant.history.delete(binned.id)
    writing = assistant.preferences.add_text(f"a text of mine with {marker}", f"asked for {marker}")
    await bring_in(assistant, folder / "elsewhere", marker)
    assistant.preferences.veto_phrase(f"the {marker}")
    items = [message_item_id(own.id), writing_item_id(writing.id)]
    for item in items:
        key = EffectKey(item, "c", "e", "m")
        store.effects.put_many([EffectRecord(key, item, (0,), (4,), (-1.0,), (-2.0,), (items[1],))])
    profile = add_profile(
        assistant,
        vector_bytes(folder),
        learned=(*items,),
        phrases=(Phrase(marker, 2.0, 3, (*items,)),),
        description=f"Says aye.\nWrites {marker}.",
    )
    assistant.profiles.use(profile.version)
    assistant.profiles.set_description(f"Says aye.\nOften says {marker}!\nIs brief.")
    assistant.profiles.vector_path(assistant.profiles.get(profile.version))
    await collect(chat.send(talk.id, f"steered and again {marker}"))
    back_up_before(assistant.paths.database, "9000_next")
    await assistant.back_up_daily()
    talks = [*assistant.history.conversations(), *assistant.history.deleted()]
    assert {talk.id, named.id, fork.id, binned.id} < {one.id for one in talks}
    texts = [writing_item_id(one.id) for one in store.writing.list()]
    await assistant.close()
    return {"conversation": [str(one.id) for one in talks], "item": texts}


async def test_by_its_text(home: Path, tmp_path: Path, cli: CommandLine, temporary_files):
    marker = word(1)
    await leave_everywhere(home, tmp_path, marker)
    assert len(files_with(home, marker)) >= 3  # the history and both backups
    result = cli("forget", "--search", marker.upper(), "--yes", "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["erased"]
    assert files_with(home, marker) == set()
    opened = Assistant.open(home)
    assert opened.profiles.current().stale
    assert opened.profiles.current().description == "Says aye.\nIs brief."
    assert opened.profiles.current().outcome.phrases == ()
    await opened.close()
    [backup] = backups(home / "data" / "history.db")  # made anew after the forgetting
    assert "daily" in backup.name


@pytest.mark.parametrize("profiles", ["stale", "remove"])
async def test_by_what_holds_it(home: Path, tmp_path: Path, cli: CommandLine, temporary_files, profiles: str):
    marker = word(2)
    chosen = await leave_everywhere(home, tmp_path, marker)
    opened = Assistant.open(home)
    opened.preferences.allow_phrase(f"the {marker}")  # a veto is the person's own rule and stays until it is taken back
    await opened.close()
    for kind in ("item", "conversation"):
        for number in chosen[kind]:
            result = cli("forget", f"--{kind}", number, "--profiles", profiles, "--yes")
            assert result.returncode == 0, result.stderr
    assert files_with(home, marker) == set()


async def test_what_a_removed_version_learned_is_in_no_file(home: Path, tmp_path: Path, tiny: Path):
    assistant = Assistant.open(home)
    writing = assistant.preferences.add_text("a text of mine, learned from")
    learned = vector_bytes(tmp_path)
    item = writing_item_id(writing.id)
    assistant.profiles.use(add_profile(assistant, learned, learned=(item,)).version)
    vector_bytes(tmp_path, seed=6)
    assistant.vectors.add(tmp_path / "made-6.gguf")
    plan_steering(assistant.profiles, assistant.vectors, assistant.model.fingerprint())
    plan_steering(assistant.profiles, assistant.vectors, assistant.model.fingerprint(), strength=0.5)
    assert len(list(assistant.paths.profiles.iterdir())) == 2  # learned and imported together, at two strengths
    assistant.forgetting.forget(assistant.forgetting.items([item]), remove_versions=True)
    assert list(assistant.paths.profiles.iterdir()) == []
    await assistant.close()


async def test_by_its_date(home: Path, tmp_path: Path, cli: CommandLine, temporary_files):
    marker = word(3)
    await leave_everywhere(home, tmp_path, marker)
    opened = Assistant.open(home)
    opened.preferences.allow_phrase(f"the {marker}")
    await opened.close()
    assert cli("forget", "--before", "2999-01-01", "--yes").returncode == 0
    assert files_with(home, marker) == set()


async def test_logs_never_hold_what_was_said(home: Path, cli: CommandLine, tiny: Path):
    """Not of a whole reply, nor of a crash, a refused model or a command that failed."""
    marker = word(4)
    opened = Assistant.open(home)
    talk = opened.chat.new_conversation()
    await collect(opened.chat.send(talk.id, f"hello {marker}"))
    await opened.close()
    assert cli("chat", f"more {marker}", "--max-tokens", "5").returncode == 0
    broken = home / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\xff" * 100)
    assert cli("--model", broken, "chat", f"and more {marker}").returncode == 1
    assert cli("rebuild").returncode == 1
    logs = [file for file in home.rglob("*") if file.is_file() and "history.db" not in file.name]
    assert {file.name for file in logs if "log" in file.name}
    assert [file.name for file in logs if marker.encode() in file.read_bytes().lower()] == []
