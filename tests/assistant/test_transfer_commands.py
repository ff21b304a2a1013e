"""`assistant import`, `export`, `backup` and `restore` as a person runs them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest

from assistant.errors import ImportFileError
from tests.assistant.conftest import one_line, query
from tests.storage.exports import chatgpt, node, written
from tests.storage.test_import_mail import ME, box

PRIVATE = 0o600
NOTHING_NEW = "0 conversations, 0 messages imported (5 known already)"


def talk(name: str, *texts: str) -> dict:
    mapping = {
        f"m{n}": node(f"m{n - 1}" if n else None, "assistant" if n % 2 else "user", text, time=1.7e9 + n)
        for n, text in enumerate(texts)
    }
    return chatgpt(mapping, id=name, title=f"About {name}")


@pytest.fixture
def export_file(tmp_path) -> Path:
    picture = {"content_type": "multimodal_text", "parts": [{"content_type": "image_asset_pointer"}, "And this one?"]}
    ferns = talk("ferns", "Where do ferns grow?", "In shade.")
    ferns["mapping"]["m2"] = node("m1", "user", content=picture, time=1.7e9 + 2) | {"id": "m2"}
    return written(tmp_path / "conversations.json", ferns, talk("moss", "Is moss a plant?", "It is."))


def test_import_says_what_came_and_what_did_not(cli, export_file):
    first = cli("import", export_file)
    assert (first.returncode, first.stderr) == (0, b"")
    assert first.stdout.decode().splitlines() == [
        f"{export_file}: 2 conversations, 5 messages imported",
        "  left out: pictures, sounds and files: 1",
    ]
    again = cli("import", export_file)
    assert b": 2 conversations, 0 messages" not in again.stdout
    assert (
        again.stdout.decode().splitlines()[0]
        == f"{export_file}: 0 conversations, 0 messages imported (5 known already)"
    )
    assert query(cli.home, "SELECT title FROM conversations ORDER BY id") == [("About ferns",), ("About moss",)]
    assert b"Is moss a plant?" in cli("history", "show", "2").stdout


def test_a_dry_run_adds_nothing(cli, export_file):
    result = cli("import", "--dry-run", "--json", export_file)
    [told] = json.loads(result.stdout)
    preview = told["preview"]
    counted = (preview["conversations"], preview["messages"], preview["own_messages"], preview["texts"])
    assert (counted, preview["skipped"], told["imported"]) == ((2, 5, 3, 0), {"pictures, sounds and files": 1}, None)
    assert query(cli.home, "SELECT count(*) FROM conversations") == [(0,)]


def test_imported_words_are_learned_from(cli, export_file):
    cli("import", export_file)
    [told] = json.loads(cli("import", "--json", export_file).stdout)
    assert told["imported"] == {"conversations": 0, "messages": 0, "texts": 0, "known": 5}
    rows = query(cli.home, "SELECT text FROM messages WHERE role = 'user' AND origin = 'imported' ORDER BY id")
    assert rows == [("Where do ferns grow?",), ("And this one?",), ("Is moss a plant?",)]


async def test_items_have_the_reply_before_as_their_context(assistant, export_file):
    await assistant.importing.add(await assistant.importing.preview(export_file))
    items = [(found.item.context, found.item.text) for found in assistant.preferences.items()]
    # in the order of the times at which they were said
    assert items == [("", "Where do ferns grow?"), ("", "Is moss a plant?"), ("In shade.", "And this one?")]


def test_a_bad_file_leaves_what_was_there(cli, export_file, tmp_path):
    cli("import", export_file)
    before = query(cli.home, "SELECT * FROM messages")
    bad = tmp_path / "bad.json"
    bad.write_bytes(export_file.read_bytes()[:-10])
    result = cli("import", bad)
    assert result.returncode == 1
    assert f"{bad}, after entry 1: is not JSON that can be read, or breaks off" in one_line(result)
    assert query(cli.home, "SELECT * FROM messages") == before


def test_an_unknown_format_is_wrong_use(cli, export_file):
    result = cli("import", "--format", "word", export_file)
    assert result.returncode == 2
    assert b"unknown format 'word'; one of assistant, chatgpt, claude" in result.stderr


def test_a_wrong_format_is_said(cli, export_file):
    assert "is damaged, or not laid out as expected" in one_line(cli("import", "--format", "llm", export_file))
    result = cli("import", "--format", "claude", export_file)
    assert b"left out: conversations that cannot be read: 2" in result.stdout
    assert query(cli.home, "SELECT count(*) FROM conversations") == [(0,)]


def test_whose_mails_are_the_persons_is_asked(cli, tmp_path):
    path = box(tmp_path / "all.mbox")
    result = cli("import", path)
    assert result.returncode == 2
    assert f"mails of 2 senders, most of them by {ME}; say with --me whose are yours" in result.stderr.decode()
    assert query(cli.home, "SELECT text FROM writings") == []
    result = cli("import", "--me", "News@Shop.example", path)
    assert b"yours: mails from news@shop.example" in result.stdout
    assert query(cli.home, "SELECT text FROM writings") == [("News, news.",), ("News again.",), ("And a third time.",)]
    assert b"left out: mails by others: 3" in cli("import", "--yes", path).stdout
    assert cli("import", "--yes", path).stdout.startswith(f"{path}: 0 texts imported (2 known already)".encode())


def test_export_is_private_and_replaces_nothing_unasked(cli, export_file, tmp_path):
    cli("import", export_file)
    target = tmp_path / "all.json"
    assert cli("export", "-o", target, umask=0).returncode == 0
    assert stat.S_IMODE(target.stat().st_mode) == PRIVATE
    assert f"{target}: exists already" in one_line(cli("export", "-o", target))
    first = target.read_bytes()
    assert cli("export", "-o", target, "--force").returncode == 0
    assert target.read_bytes() == first == cli("export").stdout
    assert (
        cli("import", target).stdout.decode() == f"{target}: 0 conversations, 0 messages imported (5 known already)\n"
    )


def test_export_of_one_conversation(cli, export_file):
    cli("import", export_file)
    printed = cli("export", "--format", "markdown", "--conversation", "2", "-o", "-").stdout.decode()
    assert printed.startswith("# About moss\n")
    assert "## You\n\nIs moss a plant?\n\n## Reply\n\nIt is.\n" in printed
    lines = cli("export", "--format", "jsonl", "--conversation", "1").stdout.splitlines()
    assert [m["role"] for m in json.loads(lines[0])["messages"]] == ["user", "assistant", "user"]
    assert "conversation 9" in one_line(cli("export", "--conversation", "9"))


def test_backup_and_restore(cli, export_file, tmp_path):
    cli("import", export_file)
    kept = tmp_path / "kept.db"
    result = cli("backup", kept, umask=0)
    assert result.returncode == 0
    assert stat.S_IMODE(kept.stat().st_mode) == PRIVATE
    assert f"{kept}: exists already" in one_line(cli("backup", kept))
    with closing(sqlite3.connect(cli.home / "data" / "history.db")) as connection:
        connection.execute("UPDATE conversations SET title = 'changed'")
        connection.commit()
    declined = cli("restore", kept, stdin="n\n")
    assert declined.returncode == 130
    assert query(cli.home, "SELECT DISTINCT title FROM conversations") == [("changed",)]
    restored = cli("restore", kept, "--yes")
    assert restored.returncode == 0
    assert b"what was there is kept in" in restored.stderr
    assert query(cli.home, "SELECT title FROM conversations ORDER BY id") == [("About ferns",), ("About moss",)]
    listed = cli("restore").stdout.decode()
    assert ".before-restore-" in listed


def test_restore_in_place_of_a_damaged_history(cli, export_file, tmp_path):
    cli("import", export_file)
    kept = tmp_path / "kept.db"
    cli("backup", kept)
    (cli.home / "data" / "history.db").write_bytes(b"\0" * 5000)
    assert cli("history", "list").returncode == 1
    assert cli("restore", kept, "--yes").returncode == 0
    assert b"About moss" in cli("history", "list").stdout


def test_restore_refuses_what_is_no_backup(cli, export_file):
    cli("import", export_file)
    assert "is damaged, or no history" in one_line(cli("restore", export_file, "--yes"))
    assert b"About moss" in cli("history", "list").stdout


async def test_a_cancelled_import_leaves_whole_conversations(assistant, tmp_path):
    texts = [f"text {n}" for n in range(400)]
    path = written(tmp_path / "c.json", *(talk(f"t{n}", *texts) for n in range(20)))
    preview = await assistant.importing.preview(path)
    task: asyncio.Task | None = None

    def cancel(done: int) -> None:
        if task is not None:
            task.cancel()

    task = asyncio.create_task(assistant.importing.add(preview, cancel))
    with pytest.raises(asyncio.CancelledError):
        await task
    count = "SELECT count(*) FROM messages GROUP BY conversation_id"
    there = [row[0] for row in query(assistant.paths.data.parent, count)]
    assert 0 < len(there) < 20
    assert set(there) == {400}
    counts = await assistant.importing.add(preview)
    assert (counts.conversations, counts.known) == (20 - len(there), 400 * len(there))
    assert [row[0] for row in query(assistant.paths.data.parent, count)] == [400] * 20


async def test_a_file_that_changes_after_it_was_looked_at(assistant, export_file):
    preview = await assistant.importing.preview(export_file)
    export_file.unlink()
    with pytest.raises(ImportFileError, match="cannot be read"):
        await assistant.importing.add(preview)


async def test_temporary_copies_that_a_crash_left_are_removed(assistant, export_file):
    old, new = (assistant.paths.cache / f"import-{name}" for name in ("old", "new"))
    for folder in (old, new):
        folder.mkdir()
        (folder / "copy.db").write_text("said by somebody")
    os.utime(old, (time.time() - 7200,) * 2)
    await assistant.importing.preview(export_file)
    assert (old.exists(), new.exists()) == (False, True)


def test_ctrl_c_ends_a_large_import(cli, tmp_path):
    texts = [f"text {n} {'word ' * 50}" for n in range(1000)]
    path = written(tmp_path / "c.json", *(talk(f"t{n}", *texts) for n in range(60)))
    process = cli.start("import", path, "--yes")
    database = cli.home / "data" / "history.db"
    while not database.exists() or not query_or_none(cli.home):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    counts = {row[0] for row in query(cli.home, "SELECT count(*) FROM messages GROUP BY conversation_id")}
    assert counts == {1000}


def query_or_none(home: Path) -> list[tuple]:
    try:
        return query(home, "SELECT 1 FROM messages LIMIT 1")
    except sqlite3.OperationalError:  # the tables are not there yet
        return []
