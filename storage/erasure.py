"""Forgetting: what was learned from a removed item goes with it, and its text leaves the file's bytes."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from storage.automatic import remove_backups
from storage.database import Database
from storage.errors import DatabaseLockedError

_ITEM_ID, _ITEM_IDS = "item_id", "item_ids"
_FORGOTTEN = """
    WITH items AS (
        SELECT value AS item_id, substr(value, 1, instr(value, ':') - 1) || 's' AS kind,
            CAST(substr(value, instr(value, ':') + 1) AS INTEGER) AS number FROM json_each(?)
    )
    SELECT item_id FROM items JOIN sqlite_sequence ON name = kind AND seq >= number
    WHERE CASE kind WHEN 'messages' THEN NOT EXISTS (SELECT 1 FROM messages WHERE id = number)
        WHEN 'writings' THEN NOT EXISTS (SELECT 1 FROM writings WHERE id = number) END
"""


def forget_items(db: Database, item_ids: Collection[str]) -> None:
    """Remove effects, exclusions, claims and places in profiles of items that go away (inside their transaction).

    The profiles that had learned from them become stale. `erase` must follow the transaction.
    """
    ids = json.dumps(list(item_ids))
    among = "item_id IN (SELECT value FROM json_each(?))"
    stale = db.rows(f"SELECT DISTINCT version FROM profile_items WHERE {among}", (ids,))
    for version in (row["version"] for row in stale):
        db.write("UPDATE profiles SET stale = 1 WHERE version = ?", (version,))
    _forget_in_outcomes(db, frozenset(item_ids))
    for table in ("profile_items", "effects", "excluded_items", "claimed_items"):
        db.write(f"DELETE FROM {table} WHERE {among}", (ids,))
    # What was computed with a forgotten text says something about it.
    compared = f"SELECT 1 FROM json_each(effects.history) WHERE value {among.removeprefix('item_id ')}"
    db.write(f"DELETE FROM effects WHERE EXISTS ({compared})", (ids,))
    mark_pending(db)


def forgotten_among(db: Database, item_ids: Collection[str]) -> set[str]:
    """Those of these items that were in the history and have been forgotten: a rebuild may still hold them.

    Numbers are never used twice, so one that was given and is not there was forgotten.
    """
    found = db.rows(_FORGOTTEN, (json.dumps(list(item_ids)),))
    return {row["item_id"] for row in found}


def mark_pending(db: Database) -> None:
    """Note, in the transaction that removes something, that `erase` is due, even if the process dies."""
    # A number of its own: another process that erases meanwhile takes back only what it has seen.
    db.write("INSERT INTO erasures VALUES (random())")


def erase(db: Database) -> bool:
    """Take removed text out of every byte of the database, its log and its backups.

    Merges the search index, whose removed words otherwise live on until its next merge; rewrites the file
    without its free pages (`secure_delete` alone leaves remnants in moved cells); empties the log; and
    removes the automatic backups, as they still hold the text. Does nothing if nothing is due.

    Returns: False where another process was reading or writing; it stays due and is done when next opened.

    Raises: StorageError: the disk is full or the like; the rows are gone, the rest stays due.
    """
    if db.row("SELECT pending FROM erasures") is None:
        return True
    try:
        return _erase(db)
    except DatabaseLockedError:
        return False


def _erase(db: Database) -> bool:
    due = json.dumps([row["pending"] for row in db.rows("SELECT pending FROM erasures")])
    with db.transaction():
        db.write("INSERT INTO messages_fts (messages_fts) VALUES ('optimize')")
        db.write("INSERT INTO titles_fts (titles_fts) VALUES ('optimize')")
    db.write("VACUUM")
    remove_backups(db.path)
    checkpoint = db.row("PRAGMA wal_checkpoint(TRUNCATE)")
    if checkpoint is None or checkpoint["busy"]:
        return False
    with db.transaction():
        db.write("DELETE FROM erasures WHERE pending IN (SELECT value FROM json_each(?))", (due,))
    return True


def _forget_in_outcomes(db: Database, item_ids: frozenset[str]) -> None:
    for row in db.rows("SELECT version, outcome FROM profiles"):
        outcome = json.loads(row["outcome"])
        kept = without_items(outcome, item_ids)
        if kept != outcome:
            db.write("UPDATE profiles SET outcome = ? WHERE version = ?", (json.dumps(kept), row["version"]))


def without_items(value: Any, item_ids: frozenset[str]) -> Any:
    """JSON without the entries that come from these items alone (told by their `item_id` or `item_ids`)."""
    if isinstance(value, list):
        return [without_items(entry, item_ids) for entry in value if not _only_from(entry, item_ids)]
    if isinstance(value, dict):
        kept = {key: without_items(entry, item_ids) for key, entry in value.items()}
        if isinstance(value.get(_ITEM_IDS), list):
            kept[_ITEM_IDS] = [item_id for item_id in value[_ITEM_IDS] if item_id not in item_ids]
        return kept
    return value


def _only_from(entry: Any, item_ids: frozenset[str]) -> bool:
    if not isinstance(entry, dict):
        return False
    sources = entry.get(_ITEM_IDS)
    if isinstance(sources, list) and sources:
        return item_ids.issuperset(sources)
    return entry.get(_ITEM_ID) in item_ids
