"""A loaded model that answers conversations: its prompt tokens, its steering, its replies."""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assistant.engine.abort import AbortFlag
from assistant.engine.llama import LlamaContext, LlamaModel
from assistant.engine.machine import physical_cores
from assistant.engine.protocol import Load, Loaded, Turn
from assistant.engine.templates import ChatTemplate


class Session:
    """One model, one window, one control vector.

    Raises: ModelError: the file cannot be loaded. EngineError: no memory for the window, a broken chat
    template.
    """

    def __init__(self, request: Load, abort: AbortFlag) -> None:
        started = time.monotonic()
        self.model = LlamaModel(Path(request.model_path), request.gpu_layers)
        window = min(request.context_tokens, self.model.trained_context or request.context_tokens)
        self.context = LlamaContext(self.model, window, request.threads or physical_cores(), abort)
        source = self.model.chat_template
        begin = self.model.begin_text if source or self.model.add_bos else ""
        self.template = ChatTemplate(source, begin, self.model.end_text, self.model.control_texts())
        self.count_tokens = functools.lru_cache(maxsize=4096)(self._count_tokens)
        self._drawn: tuple[str, list[int]] = ("", [])
        self.loaded = self._describe(steers(self.context), started)

    def beside(self, threads: int) -> Session:
        """A session on the same model with an empty window of its own, unsteered; it ends before this one is closed.

        Raises: EngineError: no memory for the window.
        """
        other = copy.copy(self)
        other.context = LlamaContext(self.model, self.context.window, threads)
        other._drawn = ("", [])
        return other

    def close(self) -> None:
        """Give the memory back."""
        self.context.close()
        self.model.close()

    def steer(self, directions: Mapping[int, NDArray[np.float32]], strength: float) -> None:
        """Put `strength` times the directions in force; none, or strength 0, is the unsteered model bit for
        bit.

        Raises: EngineError: a block or a width that the model does not have.
        """
        scale = np.float32(strength)
        self.context.set_control_vector({block: row * scale for block, row in directions.items()})

    def remember_drawn(self, text: str, tokens: Sequence[int]) -> None:
        """Keep the tokens of the last reply: going on with it needs the very ones that were drawn."""
        self._drawn = (text, list(tokens))

    def encode(self, turns: Sequence[Turn]) -> list[int]:
        """Token ids of the rendered turns, up to where the next reply begins.

        Raises: EngineError: the template refuses the turns.
        """
        parts = self.template.render(turns)
        return [token for part in parts for token in self.model.tokenize(part.text, parse_special=part.parse_special)]

    def encode_opening(self, text: str) -> list[int]:
        """Token ids of a reply that goes on: the very ones that were drawn, where it is the last reply."""
        if text and text == self._drawn[0]:
            return list(self._drawn[1])
        return self.model.tokenize(text, parse_special=False)

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
        )


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
