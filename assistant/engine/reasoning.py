"""What a reasoning model thinks before its reply: told from the reply as it streams, and put back where one goes on."""

from __future__ import annotations

from assistant.engine.templates import Part

OPEN, CLOSE = "<think>", "</think>"
MARKS = (OPEN, CLOSE)
_BREAK = "\n\n"


class ReasoningSplit:
    """Splits streamed text into thoughts and reply.

    Thoughts stand between `OPEN` and `CLOSE` at the very beginning; with `thinking` they have begun already, as many
    templates write the first mark themselves. With `replying` the reply itself has begun, and nothing in it is a mark.

    Attributes:
        thinking: whether what comes next is thought.
    """

    def __init__(self, *, thinking: bool = False, replying: bool = False) -> None:
        self.thinking = thinking
        self._begun = thinking or replying
        self._after = False
        self._held = ""

    def push(self, text: str) -> tuple[str, str]:
        """Take text; give out what is certain to be thought and what is certain to be reply."""
        self._held += text
        if not self._begun:
            self._begin()
        thought = self._thought() if self.thinking else ""
        return thought, self._reply() if self._begun and not self.thinking else ""

    def finish(self) -> tuple[str, str]:
        """Give out what was held back at the end, but for the beginning of a mark that ends the thoughts: where the
        reply goes on the rest of it may come."""
        if self.thinking:
            return "", ""
        held, self._held, self._begun = self._held, "", True
        return "", held

    def _begin(self) -> None:
        start = self._held.lstrip()
        if start.startswith(OPEN):
            self._held, self.thinking, self._begun = start[len(OPEN) :], True, True
        elif not OPEN.startswith(start):
            self._begun = True

    def _thought(self) -> str:
        thought, mark, rest = self._held.partition(CLOSE)
        if mark:
            self._held, self.thinking, self._after = rest, False, True
            return thought
        certain = len(thought) - overlap(thought, CLOSE)
        self._held = thought[certain:]
        return thought[:certain]

    def _reply(self) -> str:
        if self._after:  # the empty lines between thoughts and reply are neither
            self._held = self._held.lstrip("\n")
            self._after = not self._held
        held, self._held = self._held, ""
        return held


def opening(reasoning: str, text: str, *, opened: bool) -> list[Part]:
    """A reply that goes on, as the model wrote it; `opened` where its prompt ends with `OPEN`."""
    begin = [Part(OPEN, True)] if reasoning and not opened else []
    thought = [Part(reasoning, False)] if reasoning else []
    if not text:
        return [*begin, *thought]
    end = [Part(CLOSE, True), Part(f"{_BREAK}{text}", False)] if reasoning or opened else [Part(text, False)]
    return [*begin, *thought, *end]


def closing(reasoning: str, *, opened: bool) -> list[Part]:
    """A thought that is over before its reply begins; none where there is none, `opened` as in `opening`."""
    if not reasoning and not opened:
        return []
    return [*opening(reasoning or "\n", "", opened=opened), Part(CLOSE, True), Part(_BREAK, False)]


def overlap(text: str, mark: str) -> int:
    """Length of the longest end of `text` that begins `mark` without being all of it."""
    for length in range(min(len(text), len(mark) - 1), 0, -1):
        if text.endswith(mark[:length]):
            return length
    return 0
