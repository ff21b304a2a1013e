"""Prompts read before: conversations that were left keep their place in memory, so that coming back reads nothing anew.

What is kept is told apart by its tokens and by the control vector it was read under; a model has its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import psutil

from assistant.engine.llama import LlamaContext, OnChunk, Saved

WORTH_TOKENS = 32
"""Fewer are read faster than they are looked after."""
MOST_BYTES = 2**30
MOST_KEPT = 8
"""More are hardly come back to: what left the window, branches that were given up."""
AVAILABLE_SHARE = 8
"""Of the memory that is free when a model is loaded, the part that kept prompts may take."""


def prefix_budget() -> int:
    """Bytes that kept prompts may take on this machine, as it is now."""
    return min(MOST_BYTES, int(psutil.virtual_memory().available) // AVAILABLE_SHARE)


class Prefixes:
    """Reads prompts into a context; keeps what would be lost and brings back what is known, within `budget` bytes."""

    def __init__(self, context: LlamaContext, budget: int) -> None:
        self._context, self._budget = context, budget
        self._saved: list[Saved] = []
        self._prompt: tuple[int, ...] = ()

    def read(self, tokens: Sequence[int], on_chunk: OnChunk | None = None, *, plain: int = 0) -> int:
        """Make the context hold `tokens`, as `LlamaContext.evaluate`, from the best that is known.

        Raises: DecodeAborted: the abort flag is set. EngineError: llama.cpp fails.
        """
        live = self._context.shared(self._context.held, tokens, plain)
        if live < len(self._prompt):  # another conversation, or another branch of this one
            saved = max(self._saved, key=lambda one: self._context.shared(one.held, tokens, plain), default=None)
            known = self._context.shared(saved.held, tokens, plain) if saved else 0
            self.keep()
            if saved and known > live:  # to read one token is to read all weights; keys and values are less
                self._context.restore(saved)
                self._forget_known(saved)
        self._prompt = tuple(tokens)
        return self._context.evaluate(tokens, on_chunk, plain=plain)

    def keep(self) -> None:
        """Put aside what the context holds, before it is lost; the least recently used makes room."""
        if len(self._context.tokens) < WORTH_TOKENS or self._context.state_bytes > self._budget:
            return
        if saved := self._context.save():
            self._forget_known(saved)
            self._saved.append(saved)
            while len(self._saved) > MOST_KEPT or sum(one.nbytes for one in self._saved) > self._budget:
                del self._saved[0]

    def clear(self) -> None:
        """Give the memory back."""
        self._saved.clear()

    def _forget_known(self, newer: Saved) -> None:
        """Leave out what `newer` holds as well."""
        held = newer.held
        self._saved = [
            one
            for one in self._saved
            if (one.held.vector, one.held.plain) != (held.vector, held.plain)
            or one.held.tokens != held.tokens[: len(one.held.tokens)]
        ]
