"""Values as files give them -> values as the history keeps them; what makes no sense becomes None or empty."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any

from storage.values import clean_text

_MILLISECONDS_FROM = 1e11
"""Numbers from here on are milliseconds since 1970, below seconds: in seconds this is the year 5138."""

TITLE_LENGTH = 60


def text_of(value: Any) -> str:
    """`value` if it is a string, as storable Unicode without NUL and without blank space around it; else empty."""
    return clean_text(value).replace("\0", "").strip() if isinstance(value, str) else ""


def moment_of(value: Any) -> datetime | None:
    """The time that seconds or milliseconds since 1970, or ISO 8601, stand for (UTC where nothing is said).

    The first and the last year that a date can have mean "no time", and are none in every time zone.
    """
    try:
        moment = _moment(value)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment and MINYEAR < moment.year < MAXYEAR else None


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        moment = datetime.fromisoformat(value.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return datetime.fromtimestamp(value / 1000 if value >= _MILLISECONDS_FROM else value, UTC)


def id_of(value: Any) -> str:
    """A name in another program: a string or a whole number as text, else empty."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
        return str(value)
    return text_of(value)


def mapping_of(value: Any) -> Mapping[str, Any]:
    """`value` if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def digest(*parts: str) -> str:
    """A name for what has none, from what it holds."""
    hashed = hashlib.sha256()
    for part in parts:
        data = clean_text(part).encode()
        hashed.update(len(data).to_bytes(8, "little") + data)
    return hashed.hexdigest()[:32]


def title_from(text: str) -> str:
    """The beginning of a text as the title of a conversation that has none."""
    line = text.strip().split("\n", 1)[0].strip()
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1] + "…"
