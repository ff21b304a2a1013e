"""The chat model as a rebuild sees it: llama.cpp in the rebuild's own process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from assistant.engine.abort import AbortFlag
from assistant.engine.batched import Asked, BatchedReplies
from assistant.engine.llama import ResidualReader
from assistant.engine.machine import physical_cores
from assistant.engine.protocol import Event, Generate, Load, Piece, Sampling, Tuning, Turn
from assistant.engine.reply import generate
from assistant.engine.session import Session
from steering.control_vector import ControlVector
from steering.prompts import UNPROMPTED_REQUEST

CONTEXT_TOKENS = 2048
MOST_WRITERS, WRITER_REPLIES = 4, 12
"""Windows that replies are written in at the same time, and how many are written side by side in each at most."""

OnShare: TypeAlias = Callable[[float], None]
T = TypeVar("T")


class LlamaChat:
    """Implements `steering.models.chat_model.ChatModel`."""

    def __init__(self, model_path: Path, sampling: Sampling, threads: int | None) -> None:
        """Load the model.

        Raises: AssistantError: it cannot be loaded.
        """
        self._cores = threads or physical_cores()
        # With a core taken by other work, two threads on two cores write three times slower than one.
        self._threads = threads or spare_cores()
        load = Load(str(model_path), CONTEXT_TOKENS, tuning=Tuning(self._threads))
        self._session = Session(load, AbortFlag())
        self._sampling = sampling

    @property
    def architecture(self) -> str:
        """See `ChatModel.architecture`."""
        return self._session.loaded.architecture

    @property
    def steerable(self) -> bool:
        """Whether the logits move when a control vector is set."""
        return self._session.loaded.steerable

    @property
    def shape(self) -> tuple[int, int, int]:
        """See `ChatModel.shape`."""
        loaded = self._session.loaded
        return loaded.blocks, loaded.width, loaded.vocabulary

    @property
    def parameters(self) -> int:
        """How many weights the model has."""
        return int(self._session.model.parameters)

    @property
    def window(self) -> int:
        """Tokens that it reads at once."""
        return self._session.context.window

    def tokenize(self, text: str) -> tuple[int, ...]:
        """See `ChatModel.tokenize`."""
        return tuple(self._session.model.tokenize(text, parse_special=False))

    def reply(
        self,
        request: str,
        *,
        system: str = "",
        vector: ControlVector | None = None,
        max_tokens: int,
        greedy: bool = False,
        seed: int = 0,
        grammar: str = "",
    ) -> str:
        """See `ChatModel.reply`; a request too long for the window is cut to its end."""
        _steer(self._session, vector)
        sampling = replace(self._sampling, max_tokens=max_tokens, seed=seed, grammar=grammar)
        if greedy:
            sampling = replace(sampling, temperature=0.0)
        return _written(self._session, request, system, sampling)

    def replies(
        self,
        requests: Sequence[str],
        *,
        system: str | Callable[[str], str] = "",
        vector: ControlVector | None = None,
        max_tokens: int,
        on_reply: Callable[[int], None] = lambda _: None,
    ) -> list[str]:
        """See `ChatModel.replies`; a request too long for the window is cut to its end."""
        writers = self._writers
        for writer in writers:
            writer.steer(vector.directions if vector else {})
        said = system if callable(system) else lambda _: system
        asked = [
            Asked(_turns(request, said(request)), replace(self._sampling, max_tokens=max_tokens, seed=place))
            for place, request in enumerate(requests)
        ]
        told = 0

        def tell(share: float) -> None:
            nonlocal told
            if int(share) > told:
                told = int(share)
                on_reply(told)

        count = len(writers)
        works = [partial(writer.write, asked[number::count]) for number, writer in enumerate(writers)]
        replies = [""] * len(asked)
        for number, written in enumerate(_side_by_side(works, tell)):
            replies[number::count] = written
        return replies

    def logprobs(
        self, token_ids: Sequence[int], vector: ControlVector | None = None, *, first: int = 0
    ) -> npt.NDArray[np.float32]:
        """See `ChatModel.logprobs`."""
        _steer(self._session, vector)
        return self._session.context.next_token_logprobs(token_ids, first)

    def residuals(self, token_ids: Sequence[int], blocks: Collection[int]) -> dict[int, npt.NDArray[np.float32]]:
        """See `ChatModel.residuals`.

        Raises: EngineError: more tokens than the window, or llama.cpp does not hand them out.
        """
        return self._reader.read(token_ids, blocks)

    @cached_property
    def _reader(self) -> ResidualReader:
        return ResidualReader(self._session.model, self._session.context.window, self._threads)

    @cached_property
    def _writers(self) -> list[BatchedReplies]:
        """Several windows with few threads each: many threads of one window wait for each other in a loop, and beside
        other work that costs more than they bring."""
        count = min(self._cores, MOST_WRITERS)
        return [BatchedReplies(self._session, WRITER_REPLIES, Tuning(self._cores // count)) for _ in range(count)]


def spare_cores() -> int:
    """All cores but one, which the chat keeps; at least 1."""
    return max(1, physical_cores() - 1)


def _side_by_side(works: Sequence[Callable[[OnShare], T]], on_share: OnShare) -> list[T]:
    """What works return, each in a thread of its own; `on_share` gets, in this one, the sum of what they tell."""
    news: SimpleQueue[tuple[int, float] | None] = SimpleQueue()
    shares = [0.0] * len(works)

    def run(number: int) -> T:
        try:
            return works[number](lambda share: news.put((number, share)))
        finally:
            news.put(None)

    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(run, number) for number in range(len(works))]
        ended = 0
        while ended < len(works):
            if (told := news.get()) is None:
                ended += 1
            else:
                shares[told[0]] = told[1]
                on_share(sum(shares))
        return [one.result() for one in running]


def _turns(request: str, system: str) -> tuple[Turn, ...]:
    """The request cut to an end that always fits: a token is at least one character."""
    asked = Turn("user", (request or UNPROMPTED_REQUEST)[-(CONTEXT_TOKENS // 2) :])
    return (Turn("system", system), asked) if system else (asked,)


def _steer(session: Session, vector: ControlVector | None) -> None:
    session.steer(vector.directions if vector else {}, 1.0)


def _written(session: Session, request: str, system: str, sampling: Sampling) -> str:
    pieces: list[str] = []

    def collect(event: Event) -> None:
        if isinstance(event, Piece):
            pieces.append(event.text)

    generate(session, Generate(_turns(request, system), sampling), collect)
    return "".join(pieces)
