"""What was pasted while something was written: found again in what is sent, however that was edited."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from assistant.word_count import count_words

# The prompt of the first frame needs no more than this file.
if TYPE_CHECKING:
    from steering.own_text import Stretch

LONG_PASTE_WORDS = 40
"""Words from which what is pasted is somebody else's, as many as for a quotation (`steering.own_text`); less (a name, a
path, a sentence) is a way of typing."""
RUN = 6
"""Words and marks in a row that stand so in a paste: fewer stand in anybody's sentences by chance."""
MOST_RUNS = 500_000
"""Remembered at most (about 3 MB of text), the oldest go first; but the last paste is always remembered whole."""


class Pastes:
    """What was pasted since the program was started: not its text, only hashes of the runs of words in it.

    It outlasts the sending, as what was sent or dropped can be called back into the prompt.
    """

    def __init__(self) -> None:
        self._runs: dict[int, None] = {}
        self._removed = ""

    def pasted(self, text: str, into: str) -> None:
        """Remember what is pasted into a text, unless it is short, or was copied there or taken from there before."""
        if count_words(text) < LONG_PASTE_WORDS:
            return
        flat = _flat(text)
        if flat not in self._removed and flat not in _flat(into):
            self.remember(text)

    def removed(self, text: str) -> None:
        """What a person took out of what they write, perhaps to paste it elsewhere; a short one is not of interest."""
        if count_words(text) >= LONG_PASTE_WORDS:
            self._removed = _flat(text)

    def remember(self, *parts: str) -> None:
        """Remember parts of a text that were pasted into it, however short they are by now."""
        found = dict.fromkeys(run for part in parts for run in _runs(_words(part)))
        for run in found:
            self._runs.pop(run, None)
        self._runs |= found
        excess = len(self._runs) - max(MOST_RUNS, len(found))
        for run in list(islice(self._runs, max(0, excess))):
            del self._runs[run]

    def stretches(self, text: str) -> tuple[Stretch, ...]:
        """Where a text holds what was pasted, in order and disjoint; none where that is short altogether."""
        if not self._runs:
            return ()
        tokens = list(_token().finditer(text))
        known = (place for place, run in enumerate(_runs([token.group() for token in tokens])) if run in self._runs)
        found = tuple((tokens[first].start(), tokens[last].end()) for first, last in _joined(known))
        return found if sum(count_words(text[start:end]) for start, end in found) >= LONG_PASTE_WORDS else ()


@cache
def _token() -> re.Pattern[str]:
    from storage.unspaced import UNSPACED

    word = rf"[^\W{UNSPACED}]+"
    return re.compile(rf"[{UNSPACED}]|{word}(?:['’\-]{word})*|[^\w\s]+")


def _words(text: str) -> list[str]:
    return [found.group() for found in _token().finditer(text)]


def _runs(words: list[str]) -> Iterator[int]:
    """A hash of each `RUN` words in a row, by the place where they begin."""
    return map(hash, zip(*(islice(words, first, None) for first in range(RUN)), strict=False))


def _joined(places: Iterable[int]) -> list[tuple[int, int]]:
    """The first and the last word of each row of runs that touch, by the ascending places where they begin."""
    found: list[tuple[int, int]] = []
    for place in places:
        if found and place <= found[-1][1] + 1:
            found[-1] = (found[-1][0], place + RUN - 1)
        else:
            found.append((place, place + RUN - 1))
    return found


def _flat(text: str) -> str:
    return " ".join(text.split())
