"""One reply while it is generated: fit the prompt, read it, draw tokens, give out text, stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType

from assistant.engine.abort import DecodeAborted
from assistant.engine.llama import CHUNK_TOKENS, Sampler
from assistant.engine.protocol import Event, Finished, Generate, Piece, Prefill, StopReason, Turn
from assistant.engine.session import Session
from assistant.engine.streaming import TextStream
from assistant.engine.window import fit
from assistant.errors import EngineError

Emit = Callable[[Event], None]
REPLY_ROOM_SHARE = 4  # at most a quarter of the window is kept free for the reply


def generate(session: Session, request: Generate, emit: Emit) -> None:
    """Reply, emitting `Prefill` (long prompts only), `Piece`s and `Finished`.

    Raises: EngineError: the last message is too long, the template refuses the turns, or llama.cpp fails.
    """
    with Reply(session, request, emit) as reply:
        reply.run()
    session.remember_drawn(*reply.drawn())


class Reply:
    """A reply of `session` to `request`; a context manager that frees the sampler.

    Raises: EngineError: the last message is too long, the template refuses the turns, or the grammar does not parse.
    """

    def __init__(self, session: Session, request: Generate, emit: Emit) -> None:
        if not request.turns:
            raise EngineError("the conversation is empty; write a message first")
        self._started = time.monotonic()
        self._session, self._emit, self._limit = session, emit, request.sampling.max_tokens
        self._context = session.context
        self._text = request.turns[-1].text if request.continue_last else ""
        self._tokens = session.encode_opening(self._text)
        closed = request.turns[:-1] if request.continue_last else request.turns
        room = min(self._limit, self._context.window // REPLY_ROOM_SHARE)
        self._prompt = fit(closed, self._encode, session.count_tokens, self._context.window, room)
        self._stream = TextStream((*request.sampling.stop, *session.template.stops))
        self._evaluated_before = self._context.evaluated_tokens
        self._prefilled = 0
        self._opening = len(self._tokens)
        self._first_token: float | None = None
        self._sampler = Sampler(session.model, request.sampling)

    def __enter__(self) -> Reply:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sampler.close()

    def run(self) -> None:
        """Generate until an end, emitting as it goes.

        Raises: EngineError: llama.cpp fails, or the grammar forbids the reply that goes on.
        """
        try:
            reason = self._generate()
        except DecodeAborted:
            reason = "stopped"
        if self._first_token is None:
            self._prefilled = self._context.evaluated_tokens - self._evaluated_before
        self._give(self._stream.finish())
        self._emit(self._finished(reason))

    def drawn(self) -> tuple[str, list[int]]:
        """The reply's text with the tokens that stand for it; ("", []) where tokens and text do not match."""
        if self._stream.stopped or not self._stream.whole:
            return "", []
        return self._text, self._tokens

    def _encode(self, turns: Sequence[Turn]) -> list[int]:
        return [*self._session.encode(turns), *self._tokens]

    def _generate(self) -> StopReason:
        """Raises DecodeAborted when stopped while tokens are evaluated."""
        for token in self._tokens:
            self._sampler.accept(token)
        self._context.evaluate(self._prompt.tokens, self._progress)
        self._prefilled = self._context.evaluated_tokens - self._evaluated_before
        while (reason := self._step()) is None:
            self._context.append(self._tokens[-1])
        return reason

    def _step(self) -> StopReason | None:
        """Draw one token and give out its text; the reason where the reply ends with it."""
        if self._context.abort.is_set():
            return "stopped"
        token = self._sampler.draw(self._context)
        if self._first_token is None:
            self._first_token = time.monotonic() - self._started
        if self._session.model.is_end(token):
            return "end"
        self._tokens.append(token)
        self._give(self._stream.push(self._session.model.piece(token)))
        return self._end_reason()

    def _end_reason(self) -> StopReason | None:
        if self._stream.stopped:
            return "end"
        if self._drawn_count() >= self._limit:
            return "length"
        if self._used() >= self._context.window:
            return "context"
        return None

    def _give(self, text: str) -> None:
        if text:
            self._text += text
            self._emit(Piece(text))

    def _progress(self, done: int, total: int) -> None:
        if total > CHUNK_TOKENS:
            self._emit(Prefill(done, total))
        if self._context.abort.is_set() and done < total:
            raise DecodeAborted

    def _drawn_count(self) -> int:
        return len(self._tokens) - self._opening

    def _used(self) -> int:
        return len(self._prompt.tokens) + self._drawn_count()

    def _finished(self, reason: StopReason) -> Finished:
        seconds = time.monotonic() - self._started
        return Finished(
            reason=reason,
            prompt_tokens=len(self._prompt.tokens),
            prefilled_tokens=self._prefilled,
            reply_tokens=self._drawn_count(),
            first_token_seconds=seconds if self._first_token is None else self._first_token,
            seconds=seconds,
            dropped_turns=self._prompt.dropped_turns,
            context_used=self._used(),
            context_tokens=self._context.window,
        )
