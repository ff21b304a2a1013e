"""Numbers in words: durations, gains, sizes."""

from __future__ import annotations

import math
from datetime import datetime


def duration(seconds: float) -> str:
    """`42 s`, `3 min 05 s`, `1 h 02 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def likelier(gain: float) -> float:
    """Change of a token's probability in percent for a gain in nats/token."""
    return (math.exp(gain) - 1) * 100


def day(moment: datetime) -> str:
    """Date and time to the minute in the person's own time zone (as given where it has none)."""
    local = moment if moment.tzinfo is None else moment.astimezone()
    return local.strftime("%Y-%m-%d %H:%M")


def bar(done: int, total: int, width: int) -> str:
    """A progress bar of `width` cells."""
    filled = round(width * min(1.0, done / total)) if total > 0 else 0
    return "━" * filled + "─" * (width - filled)


def size(number: float) -> str:
    """`420 kB`, `98 MB`, `1.1 GB`."""
    if number >= 1e9:
        return f"{number / 1e9:.1f} GB"
    return f"{number / 1e6:.0f} MB" if number >= 1e6 else f"{number / 1e3:.0f} kB"
