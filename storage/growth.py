"""What can be learned from now, held against what a version learned from: by number only, no text is read."""

from __future__ import annotations

import json
from dataclasses import dataclass

from storage.database import Database

_TEACHING = """
    SELECT 'writing:' || id AS item_id FROM writings
    UNION ALL
    SELECT 'message:' || m.id FROM messages m LEFT JOIN ratings ON ratings.message_id = m.id
    WHERE m.origin = 'edited' AND m.role = 'assistant' AND coalesce(rating, 0) >= 0 AND m.parent_id IS NOT NULL
    UNION ALL
    SELECT 'message:' || m.id FROM ratings JOIN messages m ON m.id = ratings.message_id
    WHERE rating > 0 AND m.origin <> 'edited' AND m.role = 'assistant' AND m.parent_id IS NOT NULL
"""
_DELETED = """
    SELECT 'message:' || messages.id FROM conversations JOIN messages ON messages.conversation_id = conversations.id
    WHERE conversations.deleted_at IS NOT NULL
"""
_ALLOWED = f"""
    SELECT item_id FROM ({_TEACHING})
    WHERE item_id NOT IN (SELECT item_id FROM excluded_items) AND item_id NOT IN ({_DELETED})
"""
# One pass over all: this is asked while the person writes.
_HELD_AGAINST = f"""
    SELECT count(learned.item_id) AS still,
        json_group_array(allowed.item_id) FILTER (WHERE learned.item_id IS NULL) AS new
    FROM ({_ALLOWED}) allowed
    LEFT JOIN profile_items learned ON learned.version = ? AND learned.item_id = allowed.item_id
"""
# Messages that the person typed are scored, but no vector learns from them.
_LEARNED = """
    SELECT count(*) AS number FROM profile_items WHERE version = ? AND (item_id NOT LIKE 'message:%' OR EXISTS (
        SELECT 1 FROM messages WHERE id = CAST(substr(item_id, 9) AS INTEGER) AND role = 'assistant'
    ))
"""


@dataclass(frozen=True, slots=True)
class Growth:
    """What changed since a version was made.

    Attributes:
        version: that version; None where there is none.
        stale: a text that it learned from was forgotten.
        learned: from how many texts a vector of it may have been learned, without forgotten ones.
        gone: how many of them are no longer to be learned from: left out, deleted, no longer rated.
        new: items that came to be learned from, not asked whether their text is fit for it.
    """

    version: int | None
    stale: bool
    learned: int
    gone: int
    new: tuple[str, ...]


def growth(db: Database, imported: str) -> Growth:
    """Growth since the newest version that was made from this history: its inputs hash is not `imported`."""
    newest = db.row(
        "SELECT version, stale FROM profiles WHERE inputs_hash <> ? ORDER BY version DESC LIMIT 1", (imported,)
    )
    version = newest["version"] if newest else None
    found = db.rows(_HELD_AGAINST, (version,))[0]
    learned = db.rows(_LEARNED, (version,))[0]["number"]
    stale = bool(newest and newest["stale"])
    return Growth(version, stale, learned, learned - found["still"], tuple(json.loads(found["new"])))
