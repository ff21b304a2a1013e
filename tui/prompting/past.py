"""Earlier prompts, one after the other."""

from __future__ import annotations

from collections.abc import Callable


class Past:
    """Goes back and forth through what was sent; `recalled` is what it last gave, None at the present."""

    def __init__(self, read: Callable[[], list[str]]) -> None:
        """`read` gives what was sent, the oldest first; asked anew whenever one leaves the present."""
        self._read = read
        self._texts: list[str] = []
        self._place = 0
        self.recalled: str | None = None

    def older(self) -> str | None:
        """The prompt before; None where there is none, and all stays."""
        if self.recalled is None:
            self._texts = self._read()
            self._place = len(self._texts)
        if self._place == 0:
            return None
        self._place -= 1
        self.recalled = self._texts[self._place]
        return self.recalled

    def newer(self) -> str:
        """The prompt after; empty at the present."""
        self._place += 1
        if self._place >= len(self._texts):
            self.leave()
            return ""
        self.recalled = self._texts[self._place]
        return self.recalled

    def leave(self) -> None:
        """Come back to the present."""
        self.recalled = None
