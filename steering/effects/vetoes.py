"""Where a text holds what the person does not want taken for a preference."""

from __future__ import annotations

import re
from collections.abc import Collection

Spans = list[tuple[int, int]]
_WORD = re.compile(r"[^\W_]+")


def vetoed_spans(text: str, vetoed: Collection[str]) -> Spans:
    """Places of the vetoed phrases, [start, end): whole words, in any case and punctuation."""
    phrases = [_pattern(phrase) for phrase in vetoed if phrase.strip()]
    if not phrases:
        return []
    return [match.span() for match in re.finditer("|".join(phrases), text, re.IGNORECASE)]


def overlaps(start: int, end: int, spans: Spans) -> bool:
    """Whether a stretch has a character of one of them."""
    return any(start < stop and end > begin for begin, stop in spans)


def _pattern(phrase: str) -> str:
    words = _WORD.findall(phrase) or phrase.split()
    joined = r"[\W_]+".join(map(re.escape, words))
    return rf"(?<![^\W_]){joined}(?![^\W_])"
