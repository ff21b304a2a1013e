"""The cache of token-level effects, so that a rebuild scores only what is new."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence

from storage.database import Database, Row, Value
from storage.erasure import forgotten_among
from storage.records import EffectKey, EffectRecord

KEPT_PER_ITEM = 4
"""Records of one item that are kept, the newest: taking a text out and back in scores nothing anew."""

_INTEGER, _FLOAT = "i", "f"
_BYTES = 4
"""Width of both element types: int32 and float32, little-endian."""


class Effects:
    """Effects by what they depend on; two items with the same content each keep their own record."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put_many(self, records: Iterable[EffectRecord]) -> None:
        """Store records in one transaction; one with the same key and item is replaced and is then the latest.

        Log-probabilities are kept as float32, offsets as int32. Of each item the KEPT_PER_ITEM latest stay. What
        was computed with an item that was forgotten meanwhile is not stored.
        """
        offered = list(records)
        with self._db.transaction():
            gone = forgotten_among(self._db, {id_ for record in offered for id_ in (record.item_id, *record.history)})
            stored = [record for record in offered if gone.isdisjoint((record.item_id, *record.history))]
            self._db.write_many(
                "INSERT OR REPLACE INTO effects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (_values(record) for record in stored),
            )
            self._db.write_many(
                "DELETE FROM effects WHERE item_id = ?1 AND rowid NOT IN "
                "(SELECT rowid FROM effects WHERE item_id = ?1 ORDER BY rowid DESC LIMIT ?2)",
                ((item_id, KEPT_PER_ITEM) for item_id in {record.item_id for record in stored}),
            )

    def for_items(self, item_ids: Iterable[str]) -> list[EffectRecord]:
        """All records of these items, the one that was stored last at the end."""
        wanted = json.dumps(list(item_ids))
        rows = self._db.rows(
            "SELECT * FROM effects WHERE item_id IN (SELECT value FROM json_each(?)) ORDER BY rowid", (wanted,)
        )
        return [_record(row) for row in rows]


def _values(record: EffectRecord) -> tuple[Value, ...]:
    key = record.key
    return (
        *(key.item_hash, key.context_hash, key.estimator, key.method, record.item_id),
        *(_pack(_INTEGER, record.starts), _pack(_INTEGER, record.ends)),
        *(_pack(_FLOAT, record.logp_with), _pack(_FLOAT, record.logp_without)),
        json.dumps(record.history),
    )


def _record(row: Row) -> EffectRecord:
    return EffectRecord(
        key=EffectKey(row["item_hash"], row["context_hash"], row["estimator"], row["method"]),
        item_id=row["item_id"],
        starts=_unpack(_INTEGER, row["starts"]),
        ends=_unpack(_INTEGER, row["ends"]),
        logp_with=_unpack(_FLOAT, row["logp_with"]),
        logp_without=_unpack(_FLOAT, row["logp_without"]),
        history=tuple(json.loads(row["history"])),
    )


def _pack(element: str, values: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(values)}{element}", *values)


def _unpack(element: str, blob: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(blob) // _BYTES}{element}", blob)
