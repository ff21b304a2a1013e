"""Opening: privacy, what is refused, migrations, and errors in the user's words."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database as SqliteDatabase
from sqlite_utils.migrations import Migrations

from storage.automatic import backups
from storage.database import Database
from storage.errors import (
    DatabaseLockedError,
    DatabaseNewerError,
    DatabaseReadOnlyError,
    DatabaseUnreadableError,
    DiskFullError,
    NotFoundError,
    StorageError,
)
from storage.migrations import (
    MIGRATIONS,
    drafts,
    fast_search,
    history,
    history_of_effects,
    imported_vectors,
    organisation,
    pasted,
    reasoning,
)
from storage.store import Store
from tests.storage.conftest import RawQuery

FUZZED = Path(__file__).resolve().parents[1] / "fuzz" / "found"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_is_private_under_any_umask(path: Path):
    before = os.umask(0)
    try:
        with Store(path) as store:
            store.conversations.create("mine")
            assert {file.name for file in path.parent.iterdir()} == {
                "history.db",
                "history.db-wal",
                "history.db-shm",
            }
            assert {mode(file) for file in path.parent.iterdir()} == {0o600}
    finally:
        os.umask(before)
    assert mode(path.parent) == 0o700


def test_too_open_a_file_is_tightened(path: Path):
    Store(path).close()
    path.chmod(0o666)
    path.parent.chmod(0o777)
    Store(path).close()
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


def test_pragmas(path: Path):
    with Store(path) as store:
        settings = {
            name: store._db.row(f"PRAGMA {name}")[name]
            for name in ("journal_mode", "foreign_keys", "secure_delete", "synchronous")
        }
    assert settings == {"journal_mode": "wal", "foreign_keys": 1, "secure_delete": 1, "synchronous": 2}


def test_reopening_keeps_everything_and_makes_no_backup(path: Path):
    with Store(path) as store:
        made = store.conversations.create("kept")
    with Store(path) as store:
        assert store.conversations.list() == [made]
    assert backups(path) == []


def test_a_newer_file_is_refused_unchanged(path: Path, raw: RawQuery):
    Store(path).close()
    raw(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
        "VALUES ('private-assistant', '9000_of_the_future', 'later')"
    )
    content = path.read_bytes()
    with pytest.raises(DatabaseNewerError, match=r"newer version \(9000_of_the_future\); update the assistant"):
        Store(path)
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == ["history.db"]


@pytest.mark.parametrize("content", [b"Dear diary, " * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_what_is_no_database_is_refused_unchanged(path: Path, content: bytes):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(DatabaseUnreadableError, match=r"history\.db: "):
        Store(path)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused_unchanged(path: Path, raw: RawQuery):
    path.parent.mkdir()
    raw("CREATE TABLE bookmarks (url)")
    content = path.read_bytes()
    with pytest.raises(DatabaseUnreadableError, match="another program"):
        Store(path)
    assert path.read_bytes() == content


def test_a_folder_in_the_place_of_the_file(path: Path):
    path.mkdir(parents=True)
    with pytest.raises(DatabaseUnreadableError, match="is not a file"):
        Store(path)


def test_a_file_in_the_place_of_the_folder(path: Path):
    path.parent.write_text("in the way")
    with pytest.raises(StorageError, match=r"history\.db: cannot be made"):
        Store(path)


def test_damage_found_later_is_told(path: Path):
    with Store(path) as store:
        for number in range(200):
            store.conversations.create(f"title {number}" * 20)
    damaged = bytearray(path.read_bytes())
    damaged[4096:] = b"\xa5" * (len(damaged) - 4096)
    path.write_bytes(damaged)
    with pytest.raises(DatabaseUnreadableError, match="is damaged"), Store(path) as store:
        store.conversations.list()


def test_damage_that_looks_like_too_little_memory_is_told(path: Path):
    """Found by the fuzzer of databases: SQLite answers "out of memory" to this schema."""
    path.parent.mkdir()
    path.write_bytes((FUZZED / "database" / "172232.case").read_bytes())
    with pytest.raises(DatabaseUnreadableError, match="is damaged, or there is too little memory"):
        Store(path)


def test_a_full_disk_takes_the_whole_write_back(store: Store, raw: RawQuery):
    talk = store.conversations.create()
    pages = store._db.row("PRAGMA page_count")["page_count"]
    store._db.rows(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFullError, match="no space is left"):
        store.writing.add("", "x" * 500_000, "typed")
    assert raw("SELECT count(*) FROM writings") == [(0,)]
    store.conversations.rename(talk.id, "still usable")
    assert raw("SELECT title FROM conversations") == [("still usable",)]


def test_a_read_only_file_is_told(store: Store):
    store._db.write("PRAGMA query_only = ON")
    with pytest.raises(DatabaseReadOnlyError, match="cannot be written"):
        store.conversations.create()


def test_a_file_held_by_another_process_is_told_and_nothing_stays_open(store: Store, path: Path, raw: RawQuery):
    store._db.write("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseLockedError, match="in use by another assistant"):
            store.conversations.create()
        other.execute("ROLLBACK")
    store.conversations.create("after")
    assert raw("SELECT title FROM conversations") == [("after",)]


def test_a_number_beyond_the_file_format_is_not_found(store: Store):
    with pytest.raises(NotFoundError):
        store.messages.get(10**30)


STEPS = {
    "0001_history": history,
    "0002_history_of_effects": history_of_effects,
    "0003_imported_vectors": imported_vectors,
    "0004_reasoning": reasoning,
    "0005_organisation": organisation,
    "0006_fast_search": fast_search,
    "0007_drafts": drafts,
    "0008_pasted": pasted,
}


def with_next(body: str) -> Migrations:
    migrations = Migrations(MIGRATIONS.name)
    for name, step in STEPS.items():
        migrations(name=name)(step)

    @migrations(name="9000_notes")
    def notes(db: SqliteDatabase) -> None:
        db.execute("CREATE TABLE notes (note TEXT)")
        db.execute(body)

    return migrations


def test_a_migration_backs_the_file_up_first(path: Path, raw: RawQuery):
    with Store(path) as store:
        store.conversations.create("from before")
        # The first connection is still open: what it wrote is in the log, not in the file itself.
        Database(path, with_next("INSERT INTO notes VALUES ('new')")).close()
    assert raw("SELECT note FROM notes") == [("new",)]
    applied = [name for (name,) in raw("SELECT name FROM _sqlite_migrations ORDER BY id")]
    assert applied == [*STEPS, "9000_notes"]
    (copy,) = backups(path)
    assert copy.name == "history.db.before-9000_notes"
    assert mode(copy) == 0o600
    with closing(sqlite3.connect(copy)) as old:
        assert old.execute("SELECT title FROM conversations").fetchall() == [("from before",)]
        assert old.execute("SELECT name FROM sqlite_master WHERE name = 'notes'").fetchall() == []
        assert old.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert not Path(f"{copy}-wal").exists()


def test_a_history_of_the_first_version_is_kept_and_scored_anew(path: Path, raw: RawQuery):
    first = Migrations(MIGRATIONS.name)
    first(name="0001_history")(history)
    with closing(Database(path, first)) as db:
        db.write("INSERT INTO effects VALUES ('i', 'c', 'e', 'm', 'message:1', x'', x'', x'', x'')")
        when = "2026-01-01T00:00:00Z"
        db.write("INSERT INTO conversations (title, created_at, updated_at) VALUES ('kept', ?, ?)", (when, when))
    with Store(path) as store:
        assert [talk.title for talk in store.conversations.list()] == ["kept"]
        assert store.effects.for_items(["message:1"]) == []
    assert [copy.name for copy in backups(path)] == ["history.db.before-0002_history_of_effects"]


def test_a_history_of_the_second_version_keeps_its_messages(path: Path, raw: RawQuery):
    second = Migrations(MIGRATIONS.name)
    second(name="0001_history")(history)
    second(name="0002_history_of_effects")(history_of_effects)
    when = "2026-01-01T00:00:00Z"
    with closing(Database(path, second)) as db:
        db.write("INSERT INTO conversations (title, created_at, updated_at) VALUES ('kept', ?, ?)", (when, when))
        for parent, role, text, version in ((None, "user", "a question", None), (1, "assistant", "a reply", 7)):
            db.write(
                "INSERT INTO messages (conversation_id, parent_id, role, text, state, origin, created_at, "
                "profile_version, strength) VALUES (1, ?, ?, ?, 'complete', 'typed', ?, ?, 0.5)",
                (parent, role, text, when, version),
            )
    with Store(path) as store:
        question, reply = store.messages.branch(2)
        assert [(said.text, said.profile_version, said.vectors) for said in (question, reply)] == [
            ("a question", None, ()),
            ("a reply", 7, ()),
        ]
        assert [hit.message_id for hit in store.search.search("question")] == [1]
        assert store.vectors.list() == []
    assert raw("SELECT text, strength, vectors FROM messages") == [("a question", 0.5, "[]"), ("a reply", 0.5, "[]")]
    assert [copy.name for copy in backups(path)] == ["history.db.before-0003_imported_vectors"]


def test_of_messages_and_drafts_of_before_nothing_was_pasted(path: Path, raw: RawQuery):
    seventh = Migrations(MIGRATIONS.name)
    for name, step in list(STEPS.items())[:7]:
        seventh(name=name)(step)
    when = "2026-01-01T00:00:00Z"
    with closing(Database(path, seventh)) as db:
        db.write("INSERT INTO conversations (title, created_at, updated_at) VALUES ('kept', ?, ?)", (when, when))
        db.write(
            "INSERT INTO messages (conversation_id, role, text, state, origin, created_at) "
            "VALUES (1, 'user', 'a question', 'complete', 'typed', ?)",
            (when,),
        )
        db.write("INSERT INTO drafts VALUES (1, 'half a thought')")
    with Store(path) as store:
        assert (store.messages.get(1).text, store.messages.get(1).pasted) == ("a question", ())
        assert (store.drafts.get(1), store.drafts.pasted_parts(1)) == ("half a thought", [])
        assert store.feedback.claimed_items() == set()
        store.drafts.keep(1, "half a thought more", [(0, 4)])
    assert raw("SELECT * FROM drafts") == [(1, "half a thought more", "[[0, 4]]")]
    assert [copy.name for copy in backups(path)] == ["history.db.before-0008_pasted"]


def test_titles_of_before_the_organisation_are_the_persons(path: Path, raw: RawQuery):
    fourth = Migrations(MIGRATIONS.name)
    for name, step in list(STEPS.items())[:4]:
        fourth(name=name)(step)
    when = "2026-01-01T00:00:00Z"
    with closing(Database(path, fourth)) as db:
        for title in ("named", ""):
            db.write("INSERT INTO conversations (title, created_at, updated_at) VALUES (?, ?, ?)", (title, when, when))
    Store(path).close()
    assert raw("SELECT title, title_given, pinned, archived, deleted_at FROM conversations ORDER BY id") == [
        ("named", 1, 0, 0, None),
        ("", 0, 0, 0, None),
    ]


def test_a_failing_migration_leaves_no_trace(path: Path, raw: RawQuery):
    with Store(path) as store:
        store.conversations.create("from before")
    with pytest.raises(sqlite3.OperationalError):
        Database(path, with_next("INSERT INTO nowhere VALUES (1)"))
    assert raw("SELECT name FROM sqlite_master WHERE name = 'notes'") == []
    with Store(path) as store:
        assert [talk.title for talk in store.conversations.list()] == ["from before"]


def test_processes_that_open_a_new_file_at_once(path: Path, raw: RawQuery):
    code = (
        "import sys; from pathlib import Path; from storage.store import Store\n"
        "sys.stdin.readline()\n"
        "with Store(Path(sys.argv[1])) as store: store.conversations.create()\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    openers = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(4)]
    for opener in openers:
        opener.stdin.write(b"go\n")
        opener.stdin.flush()
    assert [opener.wait(20) for opener in openers] == [0, 0, 0, 0]
    for opener in openers:
        opener.stdin.close()
    assert raw("SELECT count(*) FROM conversations") == [(4,)]
    assert raw("SELECT count(*) FROM _sqlite_migrations") == [(len(STEPS),)]


def test_storage_knows_nothing_of_models_or_screens():
    code = (
        "import sys, storage.store, storage.importers\n"
        "unwanted = {'torch', 'transformers', 'llama_cpp', 'textual', 'assistant', 'steering', 'tui'}\n"
        "sys.exit(str(unwanted & set(sys.modules)) if unwanted & set(sys.modules) else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
