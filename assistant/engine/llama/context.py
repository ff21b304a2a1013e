"""One sequence of tokens in a window, evaluated under a control vector, its longest known prefix used again.

Positions in the KV cache were computed under the control vector of their time, so every change of it empties
the cache. Nothing here is safe to call from two threads, except `AbortFlag.set`.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from assistant.engine.abort import AbortFlag, DecodeAborted
from assistant.engine.llama.adapter import VectorAdapter
from assistant.engine.llama.batch import Run, batch_of
from assistant.engine.llama.held import Held, Read, Saved, common_prefix
from assistant.engine.llama.model import LlamaModel
from assistant.engine.llama.opening import context_params, opened
from assistant.engine.protocol import Tuning
from assistant.errors import EngineError

OnChunk = Callable[[int, int], None]
SCORED_CHUNK_TOKENS = 64
KEPT_READS = 8
"""Prompts whose logits are kept, so that another reply to them begins from the very same numbers."""


class LlamaContext:
    """One sequence of tokens in a window, evaluated under one control vector.

    Attributes:
        window: how many tokens fit.
        tokens: what the KV cache holds, first position first.
        plain: how many of the first tokens were evaluated without the control vector that is in force.
        evaluated_tokens: how many were evaluated since the context was made.

    Raises: EngineError: no memory for the window.
    """

    def __init__(self, model: LlamaModel, window: int, tuning: Tuning, abort: AbortFlag | None = None) -> None:
        self.model = model
        params = context_params(window, tuning)
        self._chunk: int = params.n_batch
        self._context = opened(model, params)
        self.abort = abort or AbortFlag()
        # strlen of the flag is 0 or 1; a Python callback would cost a GIL switch at each of 1000 nodes a token
        check = ctypes.cast(ctypes.CDLL(None).strlen, llama_cpp.ggml_abort_callback)
        llama_cpp.llama_set_abort_callback(self._context, check, self.abort.address)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self.window: int = min(window, llama_cpp.llama_n_ctx(self._context))
        self.tokens: list[int] = []
        self.plain = 0
        self.evaluated_tokens = 0
        self._adapter = VectorAdapter(self._context, model)
        self._reads: deque[Read] = deque(maxlen=KEPT_READS)
        self._at: Read | None = None

    def close(self) -> None:
        """Give the memory back."""
        if self._context:
            llama_cpp.llama_free(self._context)
            self._context = None

    def use_threads(self, threads: int, prompt_threads: int) -> None:
        """Compute with so many threads from now on: for one token at a time, and for many."""
        llama_cpp.llama_set_n_threads(self._context, threads, prompt_threads)

    def set_control_vector(self, directions: Mapping[int, NDArray[np.float32]] | None) -> None:
        """Add directions [width] to the outputs of their blocks (1 <= block < blocks) from the next token on.

        None, or nothing but zeros, is no vector at all: bit for bit the unsteered model. A vector that
        differs from the one in force empties the cache.

        Raises: EngineError: a block or a width that the model does not have.
        """
        if self._adapter.set(directions or {}):
            self._reads.clear()
            self.clear()

    @property
    def steered(self) -> bool:
        """Whether a control vector is set."""
        return bool(self._adapter.name)

    @property
    def held(self) -> Held:
        """What the cache holds."""
        return Held(tuple(self.tokens), self.plain, self._adapter.name)

    def clear(self) -> None:
        """Empty the cache."""
        llama_cpp.llama_memory_clear(self._memory, True)
        self.tokens.clear()
        self.plain = 0
        self._at = None

    def shared(self, held: Held, tokens: Sequence[int], plain: int) -> int:
        """How many of the first tokens need not be evaluated where a cache holds `held`."""
        if held.vector != self._adapter.name:
            return 0
        common = common_prefix(held.tokens, tokens)
        # Between the two ends of what was read plainly one of the two was steered and the other was not.
        return common if held.plain == plain or not held.vector else min(common, held.plain, plain)

    def evaluate(self, tokens: Sequence[int], on_chunk: OnChunk | None = None, *, plain: int = 0) -> int:
        """Make the cache hold exactly `tokens`, evaluating only what follows the prefix that is there already.

        The first `plain` tokens are read without the control vector. At least the last token is evaluated, for its
        logits, unless this very prompt was read a short while ago: then they are known, and the same to the bit, which
        a token evaluated alone and not among others would not give. `on_chunk(done, total)` is told of the new tokens
        before the first chunk and after each. Returns how many were evaluated.

        Raises: DecodeAborted: the abort flag is set. EngineError: llama.cpp fails.
        """
        shared = self.shared(self.held, tokens, plain)
        if self._return_to(tokens, plain, shared):
            return 0
        self._keep(min(shared, len(tokens) - 1))
        self.plain = plain
        done, total = 0, len(tokens) - len(self.tokens)
        while done < total:
            if on_chunk:
                on_chunk(done, total)
            at = len(self.tokens)
            self._decode(tokens[at : min(at + self._chunk, plain if at < plain else len(tokens))])
            done += len(self.tokens) - at
        if on_chunk:
            on_chunk(done, total)
        self._reads.append(Read(tuple(tokens), plain, self.logits()))
        return done

    def _return_to(self, tokens: Sequence[int], plain: int, shared: int) -> bool:
        """Go back to the end of a prompt that was read before, if it is this one and the cache can be cut there."""
        wanted = tuple(tokens)
        read = next((one for one in self._reads if (one.tokens, one.plain) == (wanted, plain)), None)
        if read is None or shared < len(tokens):
            return False
        self._keep(len(tokens))
        self._at = read if len(self.tokens) == len(tokens) else None
        return self._at is not None

    def append(self, token: int) -> None:
        """Evaluate one more token.

        Raises: DecodeAborted: the abort flag is set. EngineError: llama.cpp fails.
        """
        self._decode((token,))

    @property
    def returned_logits(self) -> NDArray[np.float32] | None:
        """Logits [vocabulary] after the last token where they are kept from an earlier reading; llama.cpp's differ."""
        return self._at.logits if self._at else None

    def logits(self) -> NDArray[np.float32]:
        """Logits [vocabulary] after the last token."""
        if self.returned_logits is not None:
            return self.returned_logits.copy()
        row = llama_cpp.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(row, shape=(self.model.vocabulary,)).copy()

    @property
    def state_bytes(self) -> int:
        """Memory that `save` would take now."""
        return int(llama_cpp.llama_state_seq_get_size(self._context, 0))

    def save(self) -> Saved | None:
        """Copy what the cache holds; None where llama.cpp cannot."""
        state = np.empty(self.state_bytes, np.uint8)
        size = llama_cpp.llama_state_seq_get_data(self._context, _bytes_of(state), state.size, 0)
        held = self.held
        reads = [read for read in self._reads if self.shared(held, read.tokens, read.plain) == len(read.tokens)]
        return Saved(held, state[:size], tuple(reads)) if size else None

    def restore(self, saved: Saved) -> None:
        """Make the cache hold what was saved under the vector that is in force now; empty where llama.cpp cannot."""
        self.clear()
        if llama_cpp.llama_state_seq_set_data(self._context, _bytes_of(saved.state), saved.state.size, 0):
            self.tokens, self.plain = list(saved.held.tokens), saved.held.plain
            self._reads.extend(saved.reads)
        else:
            llama_cpp.llama_memory_clear(self._memory, True)

    def next_token_logprobs(self, tokens: Sequence[int], first: int = 0) -> NDArray[np.float32]:
        """Log-probabilities [len(tokens) - first, vocabulary]: row t is the distribution of the token after
        tokens[:first + t + 1].

        Evaluated under the control vector in force. What comes before `first` is read for its keys and values
        only, and not again where the cache holds it already.

        Raises: EngineError: more tokens than the window, or llama.cpp fails.
        """
        if len(tokens) > self.window:
            raise EngineError(f"{len(tokens)} tokens do not fit the window of {self.window}")
        self._keep(min(self.shared(self.held, tokens, 0), first))
        self.plain = 0
        read = len(self.tokens)
        for start in range(read, first, self._chunk):
            self._decode(tokens[start : min(first, start + self._chunk)])
        rows = [
            self._score(tokens[start : start + SCORED_CHUNK_TOKENS])
            for start in range(first, len(tokens), SCORED_CHUNK_TOKENS)
        ]
        return np.concatenate(rows)

    def _score(self, chunk: Sequence[int]) -> NDArray[np.float32]:
        with batch_of([Run(chunk, len(self.tokens), len(chunk))]) as batch:
            self._run(batch, chunk)
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
        self._adapter.act(len(self.tokens) >= self.plain)
        self._at = None
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


def _bytes_of(array: NDArray[np.uint8]) -> Any:
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
