"""One sequence of tokens in a window, evaluated under a control vector, its longest known prefix used again.

Positions in the KV cache were computed under the control vector of their time, so every change of it empties
the cache. Nothing here is safe to call from two threads, except `AbortFlag.set`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from assistant.engine.abort import AbortFlag, DecodeAborted
from assistant.engine.llama.model import LlamaModel, last_error
from assistant.errors import EngineError

CHUNK_TOKENS = 512
SCORED_CHUNK_TOKENS = 64


class LlamaContext:
    """One sequence of tokens in a window, evaluated under one control vector.

    Attributes:
        window: how many tokens fit.
        tokens: what the KV cache holds, first position first.
        evaluated_tokens: how many were evaluated since the context was made.

    Raises: EngineError: no memory for the window.
    """

    def __init__(self, model: LlamaModel, window: int, threads: int, abort: AbortFlag | None = None) -> None:
        self.model = model
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = window
        params.n_batch = params.n_ubatch = CHUNK_TOKENS
        params.n_threads = params.n_threads_batch = threads
        params.no_perf = True
        self._context = llama_cpp.llama_init_from_model(model._model, params)
        if not self._context:
            raise EngineError(
                f"no memory for a window of {window} tokens ({last_error() or 'llama.cpp gives no reason'}); "
                "set a smaller context or choose a smaller model"
            )
        self.abort = abort or AbortFlag()
        # strlen of the flag is 0 or 1; a Python callback would cost a GIL switch at each of 1000 nodes a token
        check = ctypes.cast(ctypes.CDLL(None).strlen, llama_cpp.ggml_abort_callback)
        llama_cpp.llama_set_abort_callback(self._context, check, self.abort.address)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self.window: int = min(window, llama_cpp.llama_n_ctx(self._context))
        self.tokens: list[int] = []
        self.evaluated_tokens = 0
        self._vector: NDArray[np.float32] | None = None

    def close(self) -> None:
        """Give the memory back."""
        if self._context:
            llama_cpp.llama_free(self._context)
            self._context = None

    def set_control_vector(self, directions: Mapping[int, NDArray[np.float32]] | None) -> None:
        """Add directions [width] to the outputs of their blocks (1 <= block < blocks) from the next token on.

        None, or nothing but zeros, is no vector at all: bit for bit the unsteered model. A vector that
        differs from the one in force empties the cache.

        Raises: EngineError: a block or a width that the model does not have.
        """
        vector = self._buffer(directions or {})
        if _same(vector, self._vector):
            return
        data = None if vector is None else vector.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        size = 0 if vector is None else vector.size
        width, last = self.model.width, self.model.blocks - 1
        if llama_cpp.llama_set_adapter_cvec(self._context, data, size, width, 1, last):
            raise EngineError("llama.cpp refuses the control vector; rebuild the profile for this model")
        self._vector = vector
        self.clear()

    def _buffer(self, directions: Mapping[int, NDArray[np.float32]]) -> NDArray[np.float32] | None:
        rows = np.zeros((max(self.model.blocks - 1, 0), self.model.width), dtype=np.float32)
        for block, direction in directions.items():
            if not 1 <= block < self.model.blocks or direction.shape != (self.model.width,):
                raise EngineError(
                    f"the control vector is made for another model (block {block}, width {direction.size}; "
                    f"this model has {self.model.blocks} blocks of width {self.model.width}); rebuild the profile"
                )
            rows[block - 1] = direction
        return rows.ravel() if rows.any() else None

    def clear(self) -> None:
        """Empty the cache."""
        llama_cpp.llama_memory_clear(self._memory, True)
        self.tokens.clear()

    def evaluate(self, tokens: Sequence[int], on_chunk: Callable[[int, int], None] | None = None) -> int:
        """Make the cache hold exactly `tokens`, evaluating only what follows the prefix that is there
        already.

        At least the last token is evaluated, for its logits. `on_chunk(done, total)` is told of the new
        tokens before the first chunk and after each. Returns how many were evaluated.

        Raises: DecodeAborted: the abort flag is set. EngineError: llama.cpp fails.
        """
        self._keep(min(_common_prefix(self.tokens, tokens), len(tokens) - 1))
        new = tokens[len(self.tokens) :]
        for start in range(0, len(new), CHUNK_TOKENS):
            if on_chunk:
                on_chunk(start, len(new))
            self._decode(new[start : start + CHUNK_TOKENS])
        if on_chunk:
            on_chunk(len(new), len(new))
        return len(new)

    def append(self, token: int) -> None:
        """Evaluate one more token.

        Raises: DecodeAborted: the abort flag is set. EngineError: llama.cpp fails.
        """
        self._decode((token,))

    def logits(self) -> NDArray[np.float32]:
        """Logits [vocabulary] after the last evaluated token."""
        row = llama_cpp.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(row, shape=(self.model.vocabulary,)).copy()

    def next_token_logprobs(self, tokens: Sequence[int], first: int = 0) -> NDArray[np.float32]:
        """Log-probabilities [len(tokens) - first, vocabulary]: row t is the distribution of the token after
        tokens[:first + t + 1].

        Evaluated under the control vector in force. What comes before `first` is read for its keys and values
        only, and not again where the cache holds it already.

        Raises: EngineError: more tokens than the window, or llama.cpp fails.
        """
        if len(tokens) > self.window:
            raise EngineError(f"{len(tokens)} tokens do not fit the window of {self.window}")
        self._keep(min(_common_prefix(self.tokens, tokens), first))
        read = len(self.tokens)
        for start in range(read, first, CHUNK_TOKENS):
            self._decode(tokens[start : min(first, start + CHUNK_TOKENS)])
        rows = [
            self._score(tokens[start : start + SCORED_CHUNK_TOKENS])
            for start in range(first, len(tokens), SCORED_CHUNK_TOKENS)
        ]
        return np.concatenate(rows)

    def _score(self, chunk: Sequence[int]) -> NDArray[np.float32]:
        batch = llama_cpp.llama_batch_init(len(chunk), 0, 1)
        batch.n_tokens = len(chunk)
        for index, token in enumerate(chunk):
            batch.token[index] = token
            batch.pos[index] = len(self.tokens) + index
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = 0
            batch.logits[index] = 1
        try:
            self._run(batch, chunk)
        finally:
            llama_cpp.llama_batch_free(batch)
        logits = np.ctypeslib.as_array(
            llama_cpp.llama_get_logits(self._context), shape=(len(chunk), self.model.vocabulary)
        ).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return logits.astype(np.float32)

    def _keep(self, count: int) -> None:
        if count < len(self.tokens):
            if llama_cpp.llama_memory_seq_rm(self._memory, 0, count, -1):
                del self.tokens[count:]
            else:  # recurrent and some sliding-window memories cannot be cut
                self.clear()

    def _decode(self, chunk: Sequence[int]) -> None:
        ids = (llama_cpp.llama_token * len(chunk))(*chunk)
        self._run(llama_cpp.llama_batch_get_one(ids, len(chunk)), chunk)

    def _run(self, batch: Any, chunk: Sequence[int]) -> None:
        status = llama_cpp.llama_decode(self._context, batch)
        if status == 0:
            self.tokens.extend(chunk)
            self.evaluated_tokens += len(chunk)
            return
        held = len(self.tokens)
        if not llama_cpp.llama_memory_seq_rm(self._memory, 0, held, -1):
            self.clear()
        if status == 2:
            raise DecodeAborted
        raise EngineError(f"llama.cpp cannot evaluate {len(chunk)} tokens at position {held} (code {status})")


def _same(one: NDArray[np.float32] | None, other: NDArray[np.float32] | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)


def _common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    length = min(len(one), len(other))
    for index in range(length):
        if one[index] != other[index]:
            return index
    return length
