"""The databases of other programs, with the tables as those programs make them."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from storage.entries import ReadOptions
from storage.errors import InvalidImportError
from storage.importers import read_entries
from tests.storage.exports import conversations, entries, skipped

LLM = """
CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
CREATE TABLE responses (
    id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT, prompt_json TEXT, options_json TEXT, response TEXT,
    response_json TEXT, conversation_id TEXT REFERENCES conversations (id), duration_ms INTEGER, datetime_utc TEXT,
    input_tokens INTEGER, output_tokens INTEGER, token_details TEXT, schema_id TEXT, resolved_model TEXT);
INSERT INTO conversations VALUES ('c1', 'Ferns', 'gpt-4o');
INSERT INTO responses (id, model, prompt, system, response, conversation_id, datetime_utc) VALUES
    ('r2', 'gpt-4o', 'And moss?', NULL, 'Moss too.', 'c1', '2024-05-01T10:05:00.000000+00:00'),
    ('r1', 'gpt-4o', 'Where do ferns grow?', 'Be brief', 'In shade.', 'c1', '2024-05-01T10:00:00.000000+00:00'),
    ('r3', 'tiny', 'Alone', NULL, 'Yes.', NULL, '2024-05-02T10:00:00');
"""
LLM_TREE = """
CREATE TABLE threads (id TEXT PRIMARY KEY, name TEXT, tip_message_hash TEXT, forked_from TEXT, datetime_utc TEXT);
CREATE TABLE messages (hash TEXT PRIMARY KEY, parent_hash TEXT, role TEXT, provider_metadata TEXT);
CREATE TABLE parts (
    id INTEGER PRIMARY KEY, message_hash TEXT, position INTEGER, type TEXT, tool_name TEXT, text TEXT, payload TEXT);
CREATE TABLE turns (
    id TEXT PRIMARY KEY, thread_id TEXT, parent_message_hash TEXT, tip_message_hash TEXT, model TEXT,
    datetime_utc TEXT);
INSERT INTO threads VALUES ('t1', 'Moss', 'h4', NULL, '2026-01-01');
INSERT INTO messages VALUES ('s', NULL, 'system', NULL), ('h1', 's', 'user', NULL), ('h2', 'h1', 'assistant', NULL),
    ('h3', 'h2', 'user', NULL), ('h4', 'h3', 'assistant', NULL), ('h5', 'h1', 'assistant', NULL);
INSERT INTO parts (message_hash, position, type, text) VALUES ('s', 0, 'text', 'Be brief'), ('h1', 0, 'text', 'Moss?'),
    ('h2', 1, 'text', 'Green.'), ('h2', 0, 'reasoning', 'It is a plant.'), ('h3', 0, 'text', 'More'),
    ('h4', 0, 'tool_call', NULL), ('h4', 1, 'text', 'Soft.'), ('h5', 0, 'text', 'Damp.');
INSERT INTO turns VALUES ('u1', 't1', 'h1', 'h2', 'm1', '2026-01-01T10:00:00'),
    ('u3', 't1', 'h1', 'h5', 'm2', '2026-01-01T10:01:00'),
    ('u2', 't1', 'h3', 'h4', 'm1', '2026-01-01T10:02:00');
"""
OTERM = """
CREATE TABLE "chat" ("id" INTEGER, "name" TEXT, "model" TEXT NOT NULL, "system" TEXT, "provider" TEXT DEFAULT "ollama",
    "parameters" TEXT DEFAULT "{}", "tools" TEXT DEFAULT "[]", "thinking" BOOLEAN DEFAULT 0,
    PRIMARY KEY("id" AUTOINCREMENT));
CREATE TABLE "message" ("id" INTEGER, "chat_id" INTEGER NOT NULL, "author" TEXT NOT NULL, "text" TEXT NOT NULL,
    "images" TEXT DEFAULT "[]", PRIMARY KEY("id" AUTOINCREMENT)
    FOREIGN KEY("chat_id") REFERENCES "chat"("id") ON DELETE CASCADE);
INSERT INTO chat (id, name, model, system) VALUES (1, 'Ferns', 'llama3', 'Be brief'), (2, 'Nothing', 'llama3', NULL);
INSERT INTO message (chat_id, author, text) VALUES (1, 'user', 'Where?'), (1, 'assistant', 'In shade.'),
    (1, 'me', 'Why?'), (1, 'ollama', 'Moist.'), (1, 'ghost', 'Boo');
"""
ELIA = """
CREATE TABLE chat (model VARCHAR NOT NULL, id INTEGER NOT NULL, title VARCHAR, started_at DATETIME,
    archived BOOLEAN NOT NULL, PRIMARY KEY (id));
CREATE TABLE message (id INTEGER NOT NULL, chat_id INTEGER, role VARCHAR NOT NULL, content VARCHAR NOT NULL,
    timestamp DATETIME, meta JSON, parent_id INTEGER, model VARCHAR, PRIMARY KEY (id),
    FOREIGN KEY(chat_id) REFERENCES chat (id));
INSERT INTO chat VALUES ('gpt-4o', 1, NULL, '2024-06-09 18:44:07', 1);
INSERT INTO message (id, chat_id, role, content, timestamp, parent_id, model) VALUES
    (1, 1, 'system', 'Be brief', '2024-06-09 18:44:07', NULL, 'gpt-4o'),
    (2, 1, 'user', 'Where do ferns grow?', '2024-06-09 18:44:08', NULL, NULL),
    (3, 1, 'assistant', 'In shade.', '2024-06-09 18:44:09', NULL, 'gpt-4o'),
    (4, 1, 'assistant', 'In woods.', '2024-06-09 18:44:10', 2, 'gpt-4');
"""


def made(path: Path, *scripts: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        for script in scripts:
            connection.executescript(script)
    return path


def told(path: Path) -> list[list[tuple[str | None, str, str, str | None]]]:
    """Each conversation as (text of the parent, role, text, model)."""
    found = []
    for talk in conversations(path):
        texts = {message.source_id: message.text for message in talk.messages}
        found.append([(texts.get(m.parent or ""), m.role, m.text, m.model) for m in talk.messages])
    return found


FERNS = [
    (None, "user", "Where do ferns grow?", None),
    ("Where do ferns grow?", "assistant", "In shade.", "gpt-4o"),
    ("In shade.", "user", "And moss?", None),
    ("And moss?", "assistant", "Moss too.", "gpt-4o"),
]
MOSS = [
    (None, "user", "Moss?", None),
    ("Moss?", "assistant", "Green.", "m1"),
    ("Moss?", "assistant", "Damp.", "m2"),
    ("Green.", "user", "More", None),
    ("More", "assistant", "Soft.", "m1"),
]


def test_llm_responses(tmp_path: Path):
    path = made(tmp_path / "logs.db", LLM)
    alone = [(None, "user", "Alone", None), ("Alone", "assistant", "Yes.", "tiny")]
    assert told(path) == [FERNS, alone]
    ferns, _ = conversations(path)
    assert (ferns.source, ferns.source_id, ferns.title) == ("llm", "c1", "Ferns")
    assert ferns.messages[0].created_at is not None
    assert ferns.messages[0].created_at.isoformat() == "2024-05-01T10:00:00+00:00"
    assert skipped(path) == {"system prompts": 1}


def test_llm_with_both_kinds_of_tables(tmp_path: Path):
    path = made(tmp_path / "logs.db", LLM, LLM_TREE)
    assert told(path)[0] == FERNS
    assert told(path)[2] == MOSS
    moss = conversations(path)[2]
    assert moss.messages[1].reasoning == "It is a plant."
    assert moss.title == "Moss"
    assert skipped(path) == {"system prompts": 1, "tool calls and attachments": 1}


def test_oterm(tmp_path: Path):
    path = made(tmp_path / "store.db", OTERM)
    assert told(path) == [
        [
            (None, "user", "Where?", None),
            ("Where?", "assistant", "In shade.", "llama3"),
            ("In shade.", "user", "Why?", None),
            ("Why?", "assistant", "Moist.", "llama3"),
        ]
    ]
    assert skipped(path) == {"messages of unknown roles or chats": 1, "conversations without a message": 1}


def test_elia(tmp_path: Path):
    path = made(tmp_path / "elia.sqlite", ELIA)
    assert told(path) == [
        [
            (None, "user", "Where do ferns grow?", None),
            ("Where do ferns grow?", "assistant", "In shade.", "gpt-4o"),
            ("Where do ferns grow?", "assistant", "In woods.", "gpt-4"),
        ]
    ]
    [talk] = conversations(path)
    assert (talk.title, talk.archived) == ("Where do ferns grow?", True)
    assert skipped(path) == {"system messages and messages of unknown roles": 1}


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_a_foreign_database_stays_as_it_is(tmp_path: Path, mode: str):
    folder = tmp_path / "theirs"
    folder.mkdir()
    connection = sqlite3.connect(folder / "logs.db")
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.executescript(LLM)
    connection.commit()

    def state() -> dict[str, str]:
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}

    before = state()
    assert ("logs.db-wal" in before) == (mode == "WAL")
    folder.chmod(0o500)
    try:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        found = list(read_entries(folder / "logs.db", ReadOptions(scratch)))
        assert len(found) == 3
        assert list(scratch.iterdir()) == []
    finally:
        folder.chmod(0o700)
    assert state() == before
    connection.close()


@pytest.mark.parametrize(
    ("script", "file_format", "complaint"),
    [
        ("CREATE TABLE things (id);", None, "a database of an unknown program; give one of llm, oterm, elia"),
        ("CREATE TABLE chat (id, title);", "elia", "has not the tables of a database of elia"),
        ("CREATE TABLE responses (id, prompt);", "llm", "has not the tables of a database of llm"),
        ("CREATE VIEW chat AS SELECT 1 AS id, '' AS name, '' AS model;", "oterm", "has not the tables"),
    ],
)
def test_missing_tables(tmp_path: Path, script: str, file_format: str | None, complaint: str):
    path = made(tmp_path / "some.db", script)
    with pytest.raises(InvalidImportError, match=complaint):
        entries(path, file_format)


def test_a_damaged_database(tmp_path: Path):
    path = made(tmp_path / "logs.db", LLM)
    data = bytearray(path.read_bytes())
    for page in range(1, len(data) // 4096):
        data[page * 4096 : page * 4096 + 100] = b"\xff" * 100
    path.write_bytes(data)
    with pytest.raises(InvalidImportError, match="is damaged"):
        entries(path)
    path.write_bytes(bytes(data[:1000]))
    with pytest.raises(InvalidImportError, match="is damaged"):
        entries(path)


def test_odd_values(tmp_path: Path):
    odd = """
        INSERT INTO message (id, chat_id, role, content, timestamp, parent_id, model) VALUES
            (10, 1, x'00ff', 'a', 1e300, 'x', x'ff'), (11, 1, 'user', x'ff00', NULL, NULL, NULL),
            (12, 'x', 'user', 'lost', 5, 12, 7), (13, 1, 'user', CAST(x'41ff42' AS TEXT), 'never', 99, NULL);
        INSERT INTO chat VALUES ('m', 2, x'00', 'noon', 0);
    """
    path = made(tmp_path / "elia.sqlite", ELIA, odd)
    texts = [message.text for talk in conversations(path) for message in talk.messages]
    assert texts == ["A\ufffdB", "Where do ferns grow?", "In shade.", "In woods."]
