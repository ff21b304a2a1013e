"""Many short replies that have nothing to do with each other, written side by side in one window.

A token of each is computed at a time: the weights, whose reading takes most of the time, are read once for all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assistant.engine.llama import ParallelContext, Sampler
from assistant.engine.protocol import Sampling, Tuning, Turn
from assistant.engine.reasoning import ReasoningSplit
from assistant.engine.session import Session
from assistant.engine.streaming import TextStream
from assistant.engine.window import fit


@dataclass(frozen=True, slots=True)
class Asked:
    """A conversation to reply to. The sampling has a seed and no grammar."""

    turns: Sequence[Turn]
    sampling: Sampling


@dataclass(slots=True)
class _Slot:
    """A reply while it is written in a sequence of the window.

    Attributes:
        place: of the conversation among those that are asked.
        size: tokens that prompt and reply take at most.
        limit: tokens that the reply has at most.
    """

    place: int
    size: int
    limit: int
    sampler: Sampler
    stream: TextStream
    drawn: int = 0
    text: str = ""

    def take(self, piece: bytes) -> bool:
        """Take the bytes of the next token; whether the reply goes on."""
        self.drawn += 1
        self.text += self.stream.push(piece).text
        return not self.stream.stopped and self.drawn < self.limit

    def finish(self) -> str:
        """The whole text."""
        return self.text + self.stream.finish().text


class BatchedReplies:
    """Replies with the model of a session, at most `slots` at a time, in a window of its own.

    Raises: EngineError: no memory for the window.
    """

    def __init__(self, session: Session, slots: int, tuning: Tuning) -> None:
        self._session = session
        self._context = ParallelContext(session.model, session.context.window, slots, tuning)
        self._slots: dict[int, _Slot] = {}

    def steer(self, directions: Mapping[int, NDArray[np.float32]]) -> None:
        """See `Session.steer`, at strength 1.

        Raises: EngineError: a block or a width that the model does not have.
        """
        self._context.set_control_vector(directions)

    def write(self, asked: Sequence[Asked], on_share: Callable[[float], None]) -> list[str]:
        """The text of a reply to each; `on_share` gets how many are written, one that is half written as a half.

        The same call gives the same replies. How many are written beside one is in the rounding of its logits.

        Raises: EngineError: a conversation is too long, or llama.cpp fails.
        """
        self._context.empty()  # what an earlier call left would be in the rounding
        coming = deque((place, self._prompt(one), one.sampling) for place, one in enumerate(asked))
        replies, done = [""] * len(asked), 0
        try:
            while coming or self._slots:
                while coming and self._begin(*coming[0]):
                    coming.popleft()
                self._context.evaluate()
                for sequence, slot in [*self._slots.items()]:
                    if not self._draw(sequence, slot):
                        replies[slot.place] = slot.finish()
                        self._slots.pop(sequence).sampler.close()
                        done += 1
                on_share(done + sum(slot.drawn / slot.limit for slot in self._slots.values()))
        finally:
            while self._slots:  # where something failed
                self._slots.popitem()[1].sampler.close()
        return replies

    def _prompt(self, asked: Asked) -> list[int]:
        session, window = self._session, self._context.window
        return fit(asked.turns, session.encode, session.count_tokens, window, asked.sampling.max_tokens).tokens

    def _begin(self, place: int, prompt: Sequence[int], sampling: Sampling) -> bool:
        """Begin a reply where there is room for it."""
        session, context = self._session, self._context
        limit = min(sampling.max_tokens, context.window - len(prompt))
        free = next((one for one in range(context.sequences) if one not in self._slots), None)
        if free is None or not self._make_room(len(prompt) + limit):
            return False
        context.start(free, prompt)
        split = ReasoningSplit(thinking=session.begins_thinking(prompt))
        stream = TextStream((*sampling.stop, *session.template.stops), split)
        self._slots[free] = _Slot(place, len(prompt) + limit, limit, Sampler(session.model, sampling), stream)
        return True

    def _make_room(self, size: int) -> bool:
        """Whether so many tokens fit beside the replies that are written; what ended ones left gives way."""
        room = self._context.window - sum(slot.size for slot in self._slots.values())
        ended = [one for one in range(self._context.sequences) if one not in self._slots]
        if size > room:
            return False
        if sum(map(self._context.held, ended)) > room - size:
            for sequence in ended:
                self._context.clear(sequence)
        return True

    def _draw(self, sequence: int, slot: _Slot) -> bool:
        """Draw the next token of a reply; whether it goes on."""
        model = self._session.model
        token = slot.sampler.draw_for(self._context, sequence)
        goes_on = not model.is_end(token) and slot.take(model.piece(token))
        if goes_on:
            self._context.append(sequence, token)
        return goes_on
