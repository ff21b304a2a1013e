"""One reply while it is generated: fit the prompt, read it, draw tokens, give out text, stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import TracebackType

import numpy as np

from assistant.engine.abort import DecodeAborted
from assistant.engine.llama import Sampler, supports_gpu
from assistant.engine.protocol import (
    Event,
    Finished,
    Generate,
    Piece,
    Prefill,
    Sampling,
    StopReason,
    Thought,
    TokenLogprob,
    Turn,
)
from assistant.engine.reasoning import ReasoningSplit, closing, opening
from assistant.engine.schema import grammar_of
from assistant.engine.session import Drawn, Session
from assistant.engine.streaming import Given, TextStream
from assistant.engine.templates import Part
from assistant.engine.window import fit, readable_end
from assistant.errors import EngineError

Emit = Callable[[Event], None]
REPLY_ROOM_SHARE = 4  # at most a quarter of the window is kept free for the reply
LONG_PROMPT_TOKENS = 512
"""Reading so many new tokens takes long enough to be shown."""


def generate(session: Session, request: Generate, emit: Emit) -> None:
    """Reply, emitting `Prefill` (long prompts only), `Thought`s, `Piece`s and `Finished`; for two sides where asked.

    Raises: EngineError: the last message is too long, the template refuses the turns, or llama.cpp fails.
    """
    if request.plain_turns:
        _side_by_side(session, request, emit)
        return
    with Reply(session, request, emit) as reply:
        for _ in reply.steps():
            pass
    session.drawn = reply.drawn()


def _side_by_side(session: Session, request: Generate, emit: Emit) -> None:
    """Both replies a token at a time; two windows, as llama.cpp steers all sequences of a window alike."""
    beside = session.beside()
    try:
        plain = replace(request, turns=request.plain_turns)
        with Reply(session, request, emit) as one, Reply(beside, plain, emit, side=1) as other:
            running = [one.steps(), other.steps()]
            while running:
                running = [steps for steps in running if next(steps, None)]
        session.drawn = one.drawn()
    finally:
        beside.context.close()


class Reply:
    """A reply of `session` to `request`; a context manager that frees the sampler.

    Raises: EngineError: the last message is too long, the template refuses the turns, or the grammar does not parse.
    """

    def __init__(self, session: Session, request: Generate, emit: Emit, side: int = 0) -> None:
        if not request.turns:
            raise EngineError("the conversation is empty; write a message first")
        self._started = time.monotonic()
        self._session, self._emit, self._side = session, emit, side
        self._sampling = _with_grammar(request.sampling)
        self._context = session.context
        self._stops = (*self._sampling.stop, *session.template.stops)
        last = request.turns[-1] if request.continue_last else Turn("assistant", "")
        asked = request.turns[:-1] if request.continue_last else request.turns
        # Before anything is tokenized: megabytes of letters in a row take some tokenizers' stack.
        closed = readable_end(asked, lambda: session.model.longest_piece, self._context.window)
        opened = session.begins_thinking(session.encode(closed))
        self._thought, self._said = last.reasoning, last.text
        # What follows a schema is the reply: thoughts that are begun are ended first, and are none of the grammar's.
        over = closing(last.reasoning, opened=opened) if self._sampling.json_schema else []
        self._closing = session.encode_opening(over)
        self._tokens, self._stream = self._begun(last, opened)
        if request.continue_last and session.drawn and self._goes_on(session.drawn, last):
            self._tokens = list(session.drawn.tokens)
            self._stream = session.drawn.stream.again(self._stops)
        room = min(self._sampling.max_tokens, self._context.window // REPLY_ROOM_SHARE)
        prompt = fit(closed, self._encode, session.count_tokens, self._context.window, room)
        self._prompt = replace(prompt, dropped_turns=prompt.dropped_turns + len(asked) - len(closed))
        self._evaluated_before = self._context.evaluated_tokens
        self._prefilled = self._thought_tokens = 0
        self._opening = len(self._tokens)
        self._first_token: float | None = None
        self._logprobs: list[TokenLogprob] = []
        self._sampler = Sampler(session.model, self._sampling)
        # A GPU computes the next token while the text of this one is given out; a CPU would only give it out later.
        self._ahead = supports_gpu()

    def __enter__(self) -> Reply:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sampler.close()

    def steps(self) -> Iterator[bool]:
        """Generate until an end, emitting as it goes; yields True after every token but the last.

        Raises: EngineError: llama.cpp fails, or the grammar forbids the reply that goes on.
        """
        reason: StopReason | None = None
        try:
            self._read()
            while (reason := self._step()) is None:
                yield True
                if not self._ahead:
                    self._evaluate()
        except DecodeAborted:
            reason = "stopped"
        if self._first_token is None:
            self._prefilled = self._context.evaluated_tokens - self._evaluated_before
        self._give(self._stream.finish())
        self._emit(self._finished(reason))

    def drawn(self) -> Drawn | None:
        """The whole reply with its tokens; None where a stop string cut its text."""
        if self._stream.stopped:
            return None
        return Drawn(Turn("assistant", self._said, self._thought), self._tokens, self._stream)

    def _begun(self, reply: Turn, opened: bool) -> tuple[list[int], TextStream]:
        """Tokens and stream of a reply so far, told from its text; `opened` where its prompt begins the thoughts."""
        if self._sampling.json_schema:
            said = self._session.encode_opening([Part(reply.text, False)])
            return [*self._closing, *said], TextStream(self._stops, ReasoningSplit(replying=True))
        thinking = not reply.text and (opened or bool(reply.reasoning))
        split = ReasoningSplit(thinking=thinking, replying=bool(reply.text))
        tokens = self._session.encode_opening(opening(reply.reasoning, reply.text, opened=opened))
        return tokens, TextStream(self._stops, split)

    def _goes_on(self, drawn: Drawn, reply: Turn) -> bool:
        return drawn.reply == reply and drawn.tokens[: len(self._closing)] == self._closing

    def _encode(self, turns: Sequence[Turn]) -> list[int]:
        return [*self._session.encode(turns), *self._tokens]

    def _read(self) -> None:
        """Raises DecodeAborted when stopped while tokens are evaluated."""
        for token in self._tokens[len(self._closing) :]:
            self._sampler.accept(token)
        self._session.pace.keep(self._context, steady=self._sampling.seed is not None)
        self._session.read(self._prompt.tokens, self._opening, self._progress)
        self._prefilled = self._context.evaluated_tokens - self._evaluated_before

    def _step(self) -> StopReason | None:
        """Draw one token and give out its text; the reason where the reply ends with it."""
        if self._context.abort.is_set():
            return "stopped"
        token = self._sampler.draw(self._context)
        if self._first_token is None:
            self._first_token = time.monotonic() - self._started
        if self._session.model.is_end(token):
            return "end"
        if self._sampling.logprobs is not None:
            self._logprobs.append(self._logprob(token, self._sampling.logprobs))
        self._tokens.append(token)
        full = self._full()
        try:
            if self._ahead and not full:
                self._evaluate()
        finally:
            self._give(self._stream.push(self._session.model.piece(token)))
        self._thought_tokens += self._stream.split.thinking
        return "end" if self._stream.stopped else full

    def _evaluate(self) -> None:
        """Evaluate the token that was drawn last; on a GPU this only begins here, and ends when the next is drawn.

        Raises DecodeAborted when stopped meanwhile.
        """
        self._session.pace.keep(self._context, steady=self._sampling.seed is not None)
        self._context.append(self._tokens[-1])

    def _full(self) -> StopReason | None:
        if self._drawn_count() >= self._sampling.max_tokens:
            return "length"
        if self._used() >= self._context.window:
            return "context"
        return None

    def _give(self, given: Given) -> None:
        self._thought += given.thought
        self._said += given.text
        if given.thought:
            self._emit(Thought(given.thought, self._side))
        if given.text:
            told, self._logprobs = tuple(self._logprobs), []
            self._emit(Piece(given.text, self._side, told))

    def _logprob(self, token: int, count: int) -> TokenLogprob:
        logits = self._context.logits().astype(np.float64)
        logprobs = logits - logits.max()
        logprobs -= np.log(np.exp(logprobs).sum())
        likeliest = np.argsort(-logprobs, kind="stable")[:count]
        pairs = tuple((self._text(int(one)), float(logprobs[one])) for one in likeliest)
        return TokenLogprob(self._text(token), float(logprobs[token]), pairs)

    def _text(self, token: int) -> str:
        return self._session.model.piece(token).decode("utf-8", "replace")

    def _progress(self, done: int, total: int) -> None:
        if total > LONG_PROMPT_TOKENS:
            self._emit(Prefill(done, total, self._side))
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
            reasoning_tokens=self._thought_tokens,
            seed=self._sampler.seed,
            side=self._side,
        )


def _with_grammar(sampling: Sampling) -> Sampling:
    if not sampling.json_schema:
        return sampling
    if sampling.grammar:
        raise EngineError("a grammar and a JSON schema contradict each other; give one of them")
    return replace(sampling, grammar=grammar_of(sampling.json_schema))
