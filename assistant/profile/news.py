"""What has come since the newest version was made, and when it is enough to offer a rebuild."""

from __future__ import annotations

import math
from dataclasses import dataclass

from assistant.figures import count
from steering.calibration.split import ENOUGH_ITEMS, MIN_ITEMS

FEWEST_CHANGES, SHARE_CHANGED = 5, 0.1
"""A rebuild is offered after so many changes, and after so many of what the version was learned from."""


@dataclass(frozen=True, slots=True)
class News:
    """Changes since the newest version that was made here; of typed messages no vector learns, so they are not counted.

    Attributes:
        version: that version; None where nothing was learned yet.
        learned: how many texts it was learned from.
        new: texts that came to be learned from.
        gone: texts that it learned from and that are no longer to be learned from.
        forgotten: a text that it learned from was forgotten for good.
        vetoed: phrases of it that were vetoed.
    """

    version: int | None
    learned: int
    new: int
    gone: int = 0
    forgotten: bool = False
    vetoed: int = 0

    @property
    def changes(self) -> int:
        """All of them, each text and phrase once."""
        return self.new + self.gone + self.forgotten + self.vetoed

    @property
    def enough(self) -> bool:
        """Whether a rebuild is worth its time: it can be made, and would learn from clearly other texts."""
        possible = self.learned - self.gone + self.new >= MIN_ITEMS
        return possible and self.changes >= self.needed

    @property
    def needed(self) -> int:
        """How many changes make it worth a rebuild."""
        if self.version is None:
            return ENOUGH_ITEMS
        return max(FEWEST_CHANGES, math.ceil(SHARE_CHANGED * self.learned))

    @property
    def words(self) -> str:
        """In a few words: "12 new texts, 1 taken out since version 3"."""
        new = count(self.new, "new text") if self.new else ""
        if self.version is None:
            return f"{new}, nothing learned yet" if new else "nothing learned yet"
        parts = [
            new,
            f"{self.gone:,} taken out" if self.gone else "",
            "a text forgotten" if self.forgotten else "",
            f"{self.vetoed:,} vetoed" if self.vetoed else "",
        ]
        return f"{', '.join(filter(None, parts)) or 'nothing new'} since version {self.version}"
