"""A GGUF model in memory: its metadata, its vocabulary, and llama.cpp's own words when it refuses a file."""

from __future__ import annotations

import ctypes
import functools
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import llama_cpp

from assistant.engine.abort import NATIVE_LOG
from assistant.errors import ModelError

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
    """A GGUF model in memory; `on_progress` is told the share of the file that has been read, 0 to 1.

    Attributes:
        shown: control tokens that stand for their texts, as `show` says.

    Raises: ModelError: llama.cpp refuses the file (the message carries its reason).
    """

    def __init__(self, path: Path, gpu_layers: int = -1, on_progress: Callable[[float], None] | None = None) -> None:
        global _last_error  # noqa: PLW0603
        _start_backend()
        _last_error = ""
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        told = _progress(on_progress) if on_progress else None
        if told:
            params.progress_callback = told
        self.path = path
        self._model = llama_cpp.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            reason = _last_error or "no reason given"
            raise ModelError(f"{path}: llama.cpp cannot load it ({reason}); choose another model file")
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        self.width: int = llama_cpp.llama_model_n_embd(self._model)
        self.blocks: int = llama_cpp.llama_model_n_layer(self._model)
        self.vocabulary: int = llama_cpp.llama_vocab_n_tokens(self._vocab)
        self.parameters: int = llama_cpp.llama_model_n_params(self._model)
        self.trained_context: int = llama_cpp.llama_model_n_ctx_train(self._model)
        self.add_bos: bool = llama_cpp.llama_vocab_get_add_bos(self._vocab)
        self.shown: frozenset[int] = frozenset()

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

    def show(self, texts: Iterable[str]) -> None:
        """Let the control tokens of these texts stand for them in `piece`."""
        found = [self.tokenize(text, parse_special=True) for text in texts]
        self.shown = frozenset(tokens[0] for tokens in found if len(tokens) == 1)

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; they may be a part of a character. Empty for control tokens."""
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)  # of its own: sequences are read by several threads
            size = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, room, 0, token in self.shown)
            if size >= 0:
                return buffer.raw[:size]
            room = -size

    @functools.cached_property
    def longest_piece(self) -> int:
        """Bytes of the longest piece; no text has fewer tokens than its bytes fill such pieces."""
        return max(len(self.piece(token)) for token in range(self.vocabulary))

    def is_end(self, token: int) -> bool:
        """Whether the token ends a reply."""
        return bool(llama_cpp.llama_vocab_is_eog(self._vocab, token))

    @property
    def kv_bytes(self) -> int:
        """Memory that the keys and values of one token take, in 16 bits."""
        heads, kv_heads = llama_cpp.llama_model_n_head(self._model), llama_cpp.llama_model_n_head_kv(self._model)
        return 2 * 2 * self.blocks * self.width * int(kv_heads) // max(int(heads), 1)

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


def supports_gpu() -> bool:
    """Whether llama.cpp was built to use a GPU; it then does so by itself."""
    return bool(llama_cpp.llama_supports_gpu_offload())


def _progress(tell: Callable[[float], None]) -> Any:
    """The callback keeps llama.cpp going; it is called for every tensor, so only every hundredth is told."""
    last = -1

    @llama_cpp.llama_progress_callback  # type: ignore[untyped-decorator]
    def told(share: float, _data: ctypes.c_void_p) -> bool:
        nonlocal last
        if int(share * 100) > last:
            last = int(share * 100)
            tell(share)
        return True

    return told


def last_error() -> str:
    """What llama.cpp said last when something failed; empty where it gave no reason."""
    return _last_error
