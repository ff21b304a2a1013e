"""Versions of the steering profile, and which of them is in use."""

from __future__ import annotations

import builtins
import json
from datetime import datetime
from typing import Any

from storage.database import Database, Row
from storage.erasure import erase, forget_items, forgotten_among, mark_pending
from storage.errors import NotFoundError
from storage.records import ProfileRecord, SteeringState
from storage.values import from_timestamp, now, to_timestamp

_SELECT = """
    SELECT profiles.*, (
        SELECT json_group_object(item_id, content_hash) FROM profile_items WHERE version = profiles.version
    ) AS item_hashes FROM profiles
"""


class Profiles:
    """The profile versions of one history, numbered 1, 2, 3, ...; a number is never used twice."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(
        self,
        *,
        model_fingerprint: str,
        inputs_hash: str,
        outcome: dict[str, Any],
        description: str,
        vector: bytes | None,
        item_hashes: dict[str, str],
        description_edited: bool = False,
        created_at: datetime | None = None,
    ) -> ProfileRecord:
        """Store what a rebuild found, now or at `created_at`, as the next version; the one in use stays in use.

        It is stale from the start where an item was forgotten while it was learned from.
        """
        values = (
            to_timestamp(created_at or now()),
            model_fingerprint,
            inputs_hash,
            json.dumps(outcome),
            description,
            description_edited,
            vector,
        )
        with self._db.transaction():
            version = self._db.write(
                "INSERT INTO profiles "
                "(created_at, model_fingerprint, inputs_hash, outcome, description, description_edited, vector) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            ).lastrowid
            self._db.write_many(
                "INSERT INTO profile_items VALUES (?, ?, ?)",
                ((version, item_id, content_hash) for item_id, content_hash in item_hashes.items()),
            )
            if gone := forgotten_among(self._db, item_hashes.keys()):
                forget_items(self._db, gone)
        erase(self._db)
        return self.get(int(version or 0))

    def get(self, version: int) -> ProfileRecord:
        """One version.

        Raises: NotFoundError: there is no such version.
        """
        row = self._db.row(f"{_SELECT} WHERE version = ?", (version,))
        if row is None:
            raise _not_found(version)
        return _profile(row)

    def latest(self, *, but: str | None = None) -> ProfileRecord | None:
        """The newest version, if any; `but` is the hash of what went into those that do not count."""
        row = self._db.row(f"{_SELECT} WHERE inputs_hash IS NOT ? ORDER BY version DESC LIMIT 1", (but,))
        return None if row is None else _profile(row)

    def list(self) -> builtins.list[ProfileRecord]:
        """All versions, newest first."""
        return [_profile(row) for row in self._db.rows(f"{_SELECT} ORDER BY version DESC")]

    def set_description(self, version: int, text: str) -> None:
        """Replace the description by the person's own words.

        Raises: NotFoundError: there is no such version.
        """
        with self._db.transaction():
            self._update(
                "UPDATE profiles SET description = ?, description_edited = 1 WHERE version = ?",
                (text, version),
            )

    def delete(self, version: int) -> None:
        """Forget a version; if it was in use, steering is off afterwards.

        Raises: NotFoundError: there is no such version.
        """
        with self._db.transaction():
            self._db.write("UPDATE steering SET version = NULL, enabled = 0 WHERE version = ?", (version,))
            mark_pending(self._db)
            if not self._db.write("DELETE FROM profiles WHERE version = ?", (version,)).rowcount:
                raise _not_found(version)
        erase(self._db)

    def state(self) -> SteeringState:
        """Version in use, on or off, strength."""
        row = self._db.rows("SELECT version, enabled, strength FROM steering")[0]
        return SteeringState(row["version"], bool(row["enabled"]), row["strength"])

    def set_state(
        self, *, version: int | None = None, enabled: bool | None = None, strength: float | None = None
    ) -> SteeringState:
        """Change what is given, leave what is None.

        Raises: NotFoundError: there is no such version; nothing is changed.
        """
        with self._db.transaction():
            self._db.write(
                "UPDATE steering SET version = coalesce(?, version), enabled = coalesce(?, enabled), "
                "strength = coalesce(?, strength)",
                (version, enabled, strength),
            )
        return self.state()

    def _update(self, sql: str, values: tuple[str | int, ...]) -> None:
        if not self._db.write(sql, values).rowcount:
            raise _not_found(int(values[-1]))


def _not_found(version: int) -> NotFoundError:
    return NotFoundError(f"profile version {version}: does not exist; list the profiles to see which do")


def _profile(row: Row) -> ProfileRecord:
    return ProfileRecord(
        version=row["version"],
        created_at=from_timestamp(row["created_at"]),
        model_fingerprint=row["model_fingerprint"],
        inputs_hash=row["inputs_hash"],
        outcome=json.loads(row["outcome"]),
        description=row["description"],
        description_edited=bool(row["description_edited"]),
        vector=row["vector"],
        item_hashes=json.loads(row["item_hashes"]),
        stale=bool(row["stale"]),
    )
