"""The only module that touches llama_cpp: a model, a context with prefix reuse and a control vector, a
sampler.

Positions in the KV cache were computed under the control vector of their time, so every change of it empties
the cache. Nothing here is safe to call from two threads, except `AbortFlag.set`.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from assistant.engine.abort import NATIVE_LOG, AbortFlag, DecodeAborted
from assistant.engine.protocol import Sampling
from assistant.errors import EngineError, ModelError

CHUNK_TOKENS = 512
SCORED_CHUNK_TOKENS = 64
PENALTY_WINDOW_TOKENS = 256
DRY_BASE = 1.75
DRY_ALLOWED_LENGTH = 2
DRY_BREAKERS = (b"\n", b":", b'"', b"*")
LAST_SEED = 0xFFFFFFFE  # one more means "draw one" to llama.cpp

_last_error = ""


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _log_native(level: int, text: bytes, _data: ctypes.c_void_p) -> None:
    global _last_error  # noqa: PLW0603  # a native callback has nowhere else to leave it
    line = text.decode("utf-8", "replace").strip()
    if level in (3, 4) and line and not NATIVE_LOG.disabled:  # GGML_LOG_LEVEL_WARN, GGML_LOG_LEVEL_ERROR
        NATIVE_LOG.log(logging.ERROR if level == 4 else logging.WARNING, "%s", line)
        _last_error = line if level == 4 else _last_error


@functools.cache
def _start_backend() -> None:
    llama_cpp.llama_log_set(_log_native, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()


class LlamaModel:
    """A GGUF model in memory.

    Raises: ModelError: llama.cpp refuses the file (the message carries its reason).
    """

    def __init__(self, path: Path, gpu_layers: int = -1) -> None:
        global _last_error  # noqa: PLW0603
        _start_backend()
        _last_error = ""
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        self.path = path
        self._model = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            reason = _last_error or "no reason given"
            raise ModelError(f"{path}: llama.cpp cannot load it ({reason}); choose another model file")
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.width: int = llama_cpp.llama_model_n_embd(self._model)
        self.blocks: int = llama_cpp.llama_model_n_layer(self._model)
        self.vocabulary: int = llama_cpp.llama_vocab_n_tokens(self._vocab)
        self.trained_context: int = llama_cpp.llama_model_n_ctx_train(self._model)
        self.add_bos: bool = llama_cpp.llama_vocab_get_add_bos(self._vocab)

    def close(self) -> None:
        """Give the memory back; close its contexts first."""
        if self._model:
            llama_cpp.llama_model_free(self._model)
            self._model = None

    def __enter__(self) -> LlamaModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def metadata(self, key: str) -> str | None:
        """The value of a metadata key as text; None where it is absent."""
        size = llama_cpp.llama_model_meta_val_str(self._model, key.encode(), None, 0)
        if size < 0:
            return None
        buffer = ctypes.create_string_buffer(size + 1)
        llama_cpp.llama_model_meta_val_str(self._model, key.encode(), buffer, size + 1)
        return buffer.value.decode("utf-8", "replace")

    @property
    def chat_template(self) -> str | None:
        """The chat template (Jinja) in the file, if it has one."""
        source: bytes | None = llama_cpp.llama_model_chat_template(self._model, None)
        return source.decode("utf-8", "replace") if source else None

    def tokenize(self, text: str, *, parse_special: bool) -> list[int]:
        """Token ids of `text`, without any added begin or end token.

        With `parse_special`, the text of a control token ("<|im_end|>") becomes that token; else it stays
        text.
        """
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        while True:
            ids = (llama_cpp.llama_token * room)()
            count = llama_cpp.llama_tokenize(self._vocab, data, len(data), ids, room, False, parse_special)
            if count >= 0:
                return list(ids[:count])
            room = -count

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; they may be a part of a character. Empty for control tokens."""
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            size = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, room, 0, False)
            if size >= 0:
                return buffer.raw[:size]
            room = -size

    def is_end(self, token: int) -> bool:
        """Whether the token ends a reply."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

    @property
    def begin_text(self) -> str:
        """Text of the begin-of-sequence token, "" without one."""
        return self._text(llama_cpp.llama_vocab_bos(self._vocab))

    @property
    def end_text(self) -> str:
        """Text of the end-of-sequence token, "" without one."""
        return self._text(llama_cpp.llama_vocab_eos(self._vocab))

    def control_texts(self) -> frozenset[str]:
        """Texts of all tokens that `parse_special` turns into a token of control."""
        mask = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN
        texts = (
            self._text(token)
            for token in range(self.vocabulary)
            if llama_cpp.llama_vocab_get_attr(self._vocab, token) & mask
        )
        return frozenset(text for text in texts if text)

    def _text(self, token: int) -> str:
        if token < 0:
            return ""
        text: bytes = llama_cpp.llama_vocab_get_text(self._vocab, token)
        return text.decode("utf-8", "replace")


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
                f"no memory for a window of {window} tokens ({_last_error or 'llama.cpp gives no reason'}); "
                "set a smaller context or choose a smaller model"
            )
        self.abort = abort or AbortFlag()
        # strlen of the flag is 0 or 1; a Python callback would cost a GIL switch at each of 1000 nodes a token
        check = ctypes.cast(ctypes.CDLL(None).strlen, llama_cpp.ggml_abort_callback)
        llama_cpp.llama_set_abort_callback(self._context, check, self.abort.address)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self.window = min(window, llama_cpp.llama_n_ctx(self._context))
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

    def next_token_logprobs(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Log-probabilities [len(tokens), vocabulary]: row t is the distribution of the token after tokens[:t
        + 1].

        Evaluated afresh under the control vector in force; the cache is empty afterwards.

        Raises: EngineError: more tokens than the window, or llama.cpp fails.
        """
        if len(tokens) > self.window:
            raise EngineError(f"{len(tokens)} tokens do not fit the window of {self.window}")
        self.clear()
        rows = [
            self._score(tokens[start : start + SCORED_CHUNK_TOKENS])
            for start in range(0, len(tokens), SCORED_CHUNK_TOKENS)
        ]
        self.clear()
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


class Sampler:
    """Draws the next token as `Sampling` says; penalties look at the reply only, not at the prompt."""

    def __init__(self, model: LlamaModel, sampling: Sampling) -> None:
        self._chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        for link in _links(model, sampling):
            llama_cpp.llama_sampler_chain_add(self._chain, link)

    def accept(self, token: int) -> None:
        """Count a token that is already in the reply."""
        llama_cpp.llama_sampler_accept(self._chain, token)

    def draw(self, context: LlamaContext) -> int:
        """The next token after what the context holds; it counts as accepted."""
        return int(llama_cpp.llama_sampler_sample(self._chain, context._context, -1))

    def close(self) -> None:
        """Give the memory back."""
        if self._chain:
            llama_cpp.llama_sampler_free(self._chain)
            self._chain = None


def _links(model: LlamaModel, sampling: Sampling) -> list[Any]:
    links = []
    if sampling.repeat_penalty != 1:
        window, penalty = PENALTY_WINDOW_TOKENS, sampling.repeat_penalty
        links.append(llama_cpp.llama_sampler_init_penalties(model.vocabulary, window, penalty, 0.0, 0.0))
    if sampling.dry_multiplier > 0:
        breakers = (ctypes.c_char_p * len(DRY_BREAKERS))(*DRY_BREAKERS)
        links.append(
            llama_cpp.llama_sampler_init_dry(
                model._vocab,
                sampling.dry_multiplier,
                DRY_BASE,
                DRY_ALLOWED_LENGTH,
                model.trained_context,
                breakers,
                len(breakers),
            )
        )
    if sampling.temperature <= 0:
        return [*links, llama_cpp.llama_sampler_init_greedy()]
    seed = secrets.randbelow(LAST_SEED) if sampling.seed is None else sampling.seed % (LAST_SEED + 1)
    return [
        *links,
        llama_cpp.llama_sampler_init_top_k(sampling.top_k),
        llama_cpp.llama_sampler_init_top_p(sampling.top_p, 1),
        llama_cpp.llama_sampler_init_min_p(sampling.min_p, 1),
        llama_cpp.llama_sampler_init_temp(sampling.temperature),
        llama_cpp.llama_sampler_init_dist(seed),
    ]


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
