"""From token bytes to text that can be shown: whole characters, thoughts apart, nothing beyond a stop string."""

from __future__ import annotations

import codecs
import copy
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.engine.reasoning import ReasoningSplit, overlap


@dataclass(frozen=True, slots=True)
class Given:
    """Text that is now certain: what was thought, and what belongs to the reply."""

    thought: str = ""
    text: str = ""


class TextStream:
    """Joins token bytes to text; holds back what could be the beginning of a mark or of a stop string.

    Attributes:
        stopped: a stop string has come in the reply; nothing more is given out.
    """

    def __init__(self, stops: Sequence[str] = (), split: ReasoningSplit | None = None) -> None:
        self.stopped = False
        self.split = split or ReasoningSplit()
        self._stops = [stop for stop in stops if stop]
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def again(self, stops: Sequence[str]) -> TextStream:
        """A stream that goes on where this one finished, in the middle of a character or a mark if need be."""
        other = TextStream(stops, copy.copy(self.split))
        other._decoder.setstate(self._decoder.getstate())
        return other

    def push(self, data: bytes) -> Given:
        """Take the bytes of one token and give out the text that is now certain."""
        if self.stopped:
            return Given()
        thought, text = self.split.push(self._decoder.decode(data))
        self._held += text
        self._look_for_stops()
        return Given(thought, self._give(len(self._held) - self._doubtful()))

    def finish(self) -> Given:
        """Give out what was held back; an unfinished character at the very end is dropped."""
        if self.stopped:
            return Given()
        thought, text = self.split.finish()
        self._held += text
        self._look_for_stops()
        return Given(thought, self._give(len(self._held)))

    def _look_for_stops(self) -> None:
        found = [at for at in map(self._held.find, self._stops) if at >= 0]
        if found:
            self.stopped = True
            self._held = self._held[: min(found)]

    def _give(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        return text

    def _doubtful(self) -> int:
        """Length of the longest end of the held text that begins a stop string."""
        if self.stopped:
            return 0
        return max((overlap(self._held, stop) for stop in self._stops), default=0)
