"""From token bytes to text that can be shown: whole characters only, and nothing beyond a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """Joins token bytes to text; holds back what could be the beginning of a stop string.

    Attributes:
        stopped: a stop string has come; nothing more is given out.
    """

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self.stopped = False
        self._stops = [stop for stop in stops if stop]
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    @property
    def whole(self) -> bool:
        """Whether everything that came has been given out."""
        return not self._held and not self._decoder.getstate()[0]

    def push(self, data: bytes) -> str:
        """Take the bytes of one token and give out the text that is now certain."""
        if self.stopped:
            return ""
        self._held += self._decoder.decode(data)
        found = [at for at in map(self._held.find, self._stops) if at >= 0]
        if found:
            self.stopped = True
            return self._give(min(found))
        return self._give(len(self._held) - self._doubtful())

    def finish(self) -> str:
        """Give out what was held back; an unfinished character at the very end is dropped."""
        return "" if self.stopped else self._give(len(self._held))

    def _give(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        return text

    def _doubtful(self) -> int:
        """Length of the longest end of the held text that begins a stop string."""
        return max((_overlap(self._held, stop) for stop in self._stops), default=0)


def _overlap(text: str, stop: str) -> int:
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
