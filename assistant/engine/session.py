"""A loaded model that answers conversations: its prompt tokens, its steering, its pace."""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.engine.abort import AbortFlag
from assistant.engine.llama import LlamaContext, LlamaModel, OnChunk, supports_gpu
from assistant.engine.pace import Neighbours, Pace
from assistant.engine.prefixes import Prefixes
from assistant.engine.protocol import Load, Loaded, Positions, Tuning, Turn
from assistant.engine.reasoning import MARKS, OPEN
from assistant.engine.streaming import TextStream
from assistant.engine.templates import ChatTemplate, Part
from assistant.engine.tuning import OtherWork, looked_up, tune

OPENING_TOKENS = 16
"""At the end of a prompt, where a template may have begun the thoughts."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A reply with the tokens that were drawn for it, and the stream that made text of them."""

    reply: Turn
    tokens: list[int]
    stream: TextStream


class Session:
    """One model, one window, one control vector; `prefix_budget` bytes keep prompts that were left.

    Attributes:
        drawn: the last reply; to go on with it exactly needs the very tokens that were drawn.

    Raises: ModelError: the file cannot be loaded. EngineError: no memory for the window, a broken chat
    template.
    """

    def __init__(
        self,
        request: Load,
        abort: AbortFlag,
        *,
        prefix_budget: int = 0,
        on_progress: Callable[[float], None] | None = None,
    ) -> None:
        started = time.monotonic()
        path, others = Path(request.model_path), OtherWork()
        with ExitStack() as undo:  # what fails half-way keeps no memory
            self.model = undo.enter_context(LlamaModel(path, request.gpu_layers, on_progress))
            self.model.show(MARKS)
            window = min(request.context_tokens, self.model.trained_context or request.context_tokens)
            self.tuning, self._measured = _tuned(request, self.model, window, others)
            self.context = LlamaContext(self.model, window, self.tuning, abort)
            undo.callback(self.context.close)
            self.neighbours = Neighbours()
            self.pace = Pace(self.tuning, self.neighbours)
            self._prefixes = Prefixes(self.context, prefix_budget)
            source = self.model.chat_template
            begin = self.model.begin_text if source or self.model.add_bos else ""
            self.template = ChatTemplate(source, begin, self.model.end_text, self.model.control_texts())
            self.count_tokens = functools.lru_cache(maxsize=4096)(self._count_tokens)
            self.drawn: Drawn | None = None
            self._positions: Positions = "all"
            self.loaded = self._describe(steers(self.context), started)
            undo.pop_all()

    def beside(self) -> Session:
        """A session on the same model with an empty window of its own, unsteered; it ends before this one is closed.

        Raises: EngineError: no memory for the window.
        """
        other = copy.copy(self)
        other.context = LlamaContext(self.model, self.context.window, self.tuning, self.context.abort)
        other.pace = Pace(self.tuning, self.neighbours)
        other._prefixes = Prefixes(other.context, 0)
        other.drawn = None
        other._positions = "all"
        return other

    def close(self) -> None:
        """Give the memory back."""
        self._prefixes.clear()
        self.context.close()
        self.model.close()

    def steer(
        self, directions: Mapping[int, NDArray[np.float32]], strength: float, positions: Positions = "all"
    ) -> None:
        """Put `strength` times the directions in force; none, or strength 0, is the unsteered model bit for
        bit.

        Raises: EngineError: a block or a width that the model does not have.
        """
        scale = np.float32(strength)
        self._prefixes.keep()
        self.context.set_control_vector({block: row * scale for block, row in directions.items()})
        self._positions = positions

    def read(self, tokens: Sequence[int], opening: int, on_chunk: OnChunk) -> int:
        """Read a prompt whose last `opening` tokens are a reply that goes on; returns how many were evaluated.

        Raises: DecodeAborted: the abort flag is set. EngineError: llama.cpp fails.
        """
        apart = self.context.steered and self._positions == "generated"
        return self._prefixes.read(tokens, on_chunk, plain=len(tokens) - opening if apart else 0)

    def encode(self, turns: Sequence[Turn]) -> list[int]:
        """Token ids of the rendered turns, up to where the next reply begins.

        Raises: EngineError: the template refuses the turns.
        """
        parts = self.template.render(turns)
        return [token for part in parts for token in self.model.tokenize(part.text, parse_special=part.parse_special)]

    def begins_thinking(self, prompt: Sequence[int]) -> bool:
        """Whether the prompt itself begins the thoughts of the reply that follows it."""
        end = b"".join(map(self.model.piece, prompt[-OPENING_TOKENS:])).decode("utf-8", "replace")
        return end.rstrip().endswith(OPEN)

    def encode_opening(self, parts: Sequence[Part]) -> list[int]:
        """Token ids of a reply that goes on, in the model's own writing."""
        if not self.model.shown:  # the marks are no tokens of their own and may share one with what stands beside them
            return self.model.tokenize("".join(part.text for part in parts), parse_special=False)
        return [token for part in parts for token in self.model.tokenize(part.text, parse_special=part.parse_special)]

    def _count_tokens(self, text: str) -> int:
        return len(self.model.tokenize(text, parse_special=False))

    def _describe(self, steerable: bool, started: float) -> Loaded:
        return Loaded(
            model_path=str(self.model.path),
            name=self.model.metadata("general.name") or self.model.path.stem,
            architecture=self.model.metadata("general.architecture") or "",
            blocks=self.model.blocks,
            width=self.model.width,
            vocabulary=self.model.vocabulary,
            context_tokens=self.context.window,
            steerable=steerable,
            seconds=time.monotonic() - started,
            tuning=self.tuning,
            measured=self._measured,
            gpu=supports_gpu(),
        )


def _tuned(request: Load, model: LlamaModel, window: int, others: OtherWork) -> tuple[Tuning, bool]:
    if request.tuning:
        return request.tuning, False
    start = looked_up(model.path.stat().st_size, window * model.kv_bytes, request.threads)
    return tune(model, start, others, fixed_threads=request.threads is not None)


def steers(context: LlamaContext) -> bool:
    """Measure whether a control vector reaches the logits; leaves the context empty and unsteered.

    Architectures without the hook ignore the vector and say nothing.
    """
    model, random = context.model, np.random.default_rng(0)
    context.evaluate([0])
    plain = context.logits()
    context.set_control_vector(
        {block: random.standard_normal(model.width).astype(np.float32) for block in range(1, model.blocks)}
    )
    context.evaluate([0])
    moved = not np.array_equal(plain, context.logits())
    context.set_control_vector(None)
    context.clear()
    return moved
