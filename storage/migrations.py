"""The numbered steps from an empty file to today's tables; a released step never changes, add the next."""

from __future__ import annotations

from sqlite_utils import Database as SqliteDatabase
from sqlite_utils.migrations import Migrations

APPLICATION_ID = 0x50417374
"""Marks the file as a history of ours (`PRAGMA application_id`)."""

MIGRATIONS = Migrations("private-assistant")

_MESSAGES = """
CREATE TABLE conversations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    active_leaf_id INTEGER,
    FOREIGN KEY (id, active_leaf_id) REFERENCES messages (conversation_id, id)
);
CREATE INDEX conversations_by_use ON conversations (updated_at);

CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    conversation_id INTEGER NOT NULL REFERENCES conversations (id),
    parent_id INTEGER,
    role TEXT NOT NULL,
    text TEXT NOT NULL,
    state TEXT NOT NULL,
    origin TEXT NOT NULL,
    created_at TEXT NOT NULL,
    edited_from INTEGER REFERENCES messages (id),
    model TEXT,
    profile_version INTEGER,
    strength REAL,
    stats TEXT,
    writer TEXT,
    UNIQUE (conversation_id, id),
    FOREIGN KEY (conversation_id, parent_id) REFERENCES messages (conversation_id, id)
);
CREATE INDEX messages_by_parent ON messages (conversation_id, parent_id);
CREATE INDEX messages_by_original ON messages (edited_from) WHERE edited_from IS NOT NULL;
CREATE INDEX messages_streaming ON messages (writer) WHERE state = 'streaming';
"""

_LEARNING = """
CREATE TABLE ratings (
    message_id INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    rating INTEGER NOT NULL CHECK (rating IN (-1, 1))
);
CREATE TABLE excluded_items (item_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE vetoed_phrases (folded TEXT PRIMARY KEY, phrase TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE writings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    prompt TEXT NOT NULL,
    text TEXT NOT NULL,
    origin TEXT NOT NULL,
    created_at TEXT NOT NULL,
    content_hash TEXT NOT NULL UNIQUE
);

CREATE TABLE effects (
    item_hash TEXT NOT NULL,
    context_hash TEXT NOT NULL,
    estimator TEXT NOT NULL,
    method TEXT NOT NULL,
    item_id TEXT NOT NULL,
    starts BLOB NOT NULL,
    ends BLOB NOT NULL,
    logp_with BLOB NOT NULL,
    logp_without BLOB NOT NULL,
    PRIMARY KEY (item_hash, context_hash, estimator, method, item_id)
);
CREATE INDEX effects_by_item ON effects (item_id);

CREATE TABLE profiles (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    created_at TEXT NOT NULL,
    model_fingerprint TEXT NOT NULL,
    inputs_hash TEXT NOT NULL,
    outcome TEXT NOT NULL,
    description TEXT NOT NULL,
    description_edited INTEGER NOT NULL DEFAULT 0,
    vector BLOB,
    stale INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE profile_items (
    version INTEGER NOT NULL REFERENCES profiles (version) ON DELETE CASCADE,
    item_id TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    PRIMARY KEY (version, item_id)
) WITHOUT ROWID;
CREATE INDEX profile_items_by_item ON profile_items (item_id);

CREATE TABLE steering (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    version INTEGER REFERENCES profiles (version),
    enabled INTEGER NOT NULL,
    strength REAL NOT NULL
);
INSERT INTO steering VALUES (1, NULL, 0, 1.0);

CREATE TABLE erasures (pending INTEGER PRIMARY KEY);
"""

_VECTORS = """
CREATE TABLE vectors (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    model_hint TEXT NOT NULL,
    width INTEGER NOT NULL,
    blocks TEXT NOT NULL,
    strength REAL NOT NULL CHECK (strength BETWEEN -2 AND 2),
    enabled INTEGER NOT NULL,
    added_at TEXT NOT NULL,
    file BLOB NOT NULL
)
"""

# The view alone says what is searchable (no reply in mid-stream), so rows leave the index as they went in.
_SEARCH = """
CREATE VIEW searchable_messages AS
    SELECT id,
        CASE WHEN role = 'user' OR origin = 'edited' THEN text END AS own,
        CASE WHEN role <> 'user' AND origin <> 'edited' THEN text END AS reply
    FROM messages WHERE state <> 'streaming';
CREATE VIRTUAL TABLE messages_fts USING fts5 (
    own, reply, content = 'searchable_messages', content_rowid = 'id',
    tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TRIGGER messages_index AFTER INSERT ON messages BEGIN
    INSERT INTO messages_fts (rowid, own, reply)
        SELECT id, own, reply FROM searchable_messages WHERE id = new.id;
END;
CREATE TRIGGER messages_unindex BEFORE DELETE ON messages BEGIN
    INSERT INTO messages_fts (messages_fts, rowid, own, reply)
        SELECT 'delete', id, own, reply FROM searchable_messages WHERE id = old.id;
END;
CREATE TRIGGER messages_before_change BEFORE UPDATE OF text, state ON messages BEGIN
    INSERT INTO messages_fts (messages_fts, rowid, own, reply)
        SELECT 'delete', id, own, reply FROM searchable_messages WHERE id = old.id;
END;
CREATE TRIGGER messages_after_change AFTER UPDATE OF text, state ON messages BEGIN
    INSERT INTO messages_fts (rowid, own, reply)
        SELECT id, own, reply FROM searchable_messages WHERE id = new.id;
END;

CREATE VIRTUAL TABLE titles_fts USING fts5 (
    title, content = 'conversations', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);
CREATE TRIGGER titles_index AFTER INSERT ON conversations BEGIN
    INSERT INTO titles_fts (rowid, title) VALUES (new.id, new.title);
END;
CREATE TRIGGER titles_unindex BEFORE DELETE ON conversations BEGIN
    INSERT INTO titles_fts (titles_fts, rowid, title) VALUES ('delete', old.id, old.title);
END;
CREATE TRIGGER titles_change AFTER UPDATE OF title ON conversations BEGIN
    INSERT INTO titles_fts (titles_fts, rowid, title) VALUES ('delete', old.id, old.title);
    INSERT INTO titles_fts (rowid, title) VALUES (new.id, new.title);
END;
"""

_ORGANISATION = (
    "ALTER TABLE conversations ADD COLUMN title_given INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE conversations ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE conversations ADD COLUMN archived INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE conversations ADD COLUMN deleted_at TEXT",
    "ALTER TABLE conversations ADD COLUMN source TEXT",
    "ALTER TABLE conversations ADD COLUMN source_id TEXT",
    "UPDATE conversations SET title_given = 1 WHERE title <> ''",
    "CREATE UNIQUE INDEX conversations_by_source ON conversations (source, source_id) WHERE source_id IS NOT NULL",
    "DROP INDEX conversations_by_use",
    "CREATE INDEX conversations_listed ON conversations (archived, pinned, updated_at, id) WHERE deleted_at IS NULL",
    "CREATE INDEX conversations_deleted ON conversations (deleted_at) WHERE deleted_at IS NOT NULL",
    "ALTER TABLE messages ADD COLUMN source_id TEXT",
    "CREATE UNIQUE INDEX messages_by_source ON messages (conversation_id, source_id) WHERE source_id IS NOT NULL",
    """CREATE TABLE tags (
        conversation_id INTEGER NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        tag TEXT NOT NULL COLLATE NOCASE,
        PRIMARY KEY (conversation_id, tag)
    ) WITHOUT ROWID""",
    "CREATE INDEX tags_by_name ON tags (tag)",
)

_FAST_SEARCH = (
    "DROP TABLE messages_fts",
    """CREATE VIRTUAL TABLE messages_fts USING fts5 (
        own, reply, content = 'searchable_messages', content_rowid = 'id', prefix = '1 2 3',
        tokenize = 'unicode61 remove_diacritics 2'
    )""",
    "INSERT INTO messages_fts (messages_fts) VALUES ('rebuild')",
    "CREATE INDEX messages_by_time ON messages (created_at)",
    "CREATE INDEX messages_edited ON messages (id) WHERE origin = 'edited'",
)

_PASTED = (
    "ALTER TABLE messages ADD COLUMN pasted TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE drafts ADD COLUMN pasted TEXT NOT NULL DEFAULT '[]'",
    "CREATE TABLE claimed_items (item_id TEXT PRIMARY KEY) WITHOUT ROWID",
)

_DRAFTS = (
    """CREATE TABLE drafts (
        conversation_id INTEGER REFERENCES conversations (id) ON DELETE CASCADE,
        text TEXT NOT NULL
    )""",
    "CREATE UNIQUE INDEX drafts_by_conversation ON drafts (ifnull(conversation_id, 0))",
)


@MIGRATIONS(name="0001_history")
def history(db: SqliteDatabase) -> None:
    """Conversations, messages, what is learned from them, and the search over them."""
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for script in (_MESSAGES, _LEARNING, _SEARCH):
        db.executescript(script)


@MIGRATIONS(name="0002_history_of_effects")
def history_of_effects(db: SqliteDatabase) -> None:
    """Which items an effect was computed with; effects of before are by another method and would never be read."""
    db.execute("DELETE FROM effects")
    db.execute("ALTER TABLE effects ADD COLUMN history TEXT NOT NULL DEFAULT '[]'")


@MIGRATIONS(name="0003_imported_vectors")
def imported_vectors(db: SqliteDatabase) -> None:
    """Control vectors of others, and which of them steered a reply."""
    db.execute(_VECTORS)
    db.execute("ALTER TABLE messages ADD COLUMN vectors TEXT NOT NULL DEFAULT '[]'")


@MIGRATIONS(name="0004_reasoning")
def reasoning(db: SqliteDatabase) -> None:
    """What a model thought before its reply: shown folded, never searched, learned from or fed back."""
    db.execute("ALTER TABLE messages ADD COLUMN reasoning TEXT NOT NULL DEFAULT ''")


@MIGRATIONS(name="0005_organisation")
def organisation(db: SqliteDatabase) -> None:
    """Conversations are pinned, archived, tagged, deleted with a time to undo it, and imported once.

    Whose the titles of before are is not known, so none of them is replaced.
    """
    for statement in _ORGANISATION:
        db.execute(statement)


@MIGRATIONS(name="0006_fast_search")
def fast_search(db: SqliteDatabase) -> None:
    """The search index knows the beginnings of words, so that a search is fast as it is typed."""
    for statement in _FAST_SEARCH:
        db.execute(statement)


@MIGRATIONS(name="0007_drafts")
def drafts(db: SqliteDatabase) -> None:
    """What is written and not yet sent, by conversation; without one it is that of a chat that is not begun."""
    for statement in _DRAFTS:
        db.execute(statement)


@MIGRATIONS(name="0008_pasted")
def pasted(db: SqliteDatabase) -> None:
    """Where texts were pasted into messages and drafts, and which of these the person claims as their own.

    Of what was said before nothing is known.
    """
    for statement in _PASTED:
        db.execute(statement)
