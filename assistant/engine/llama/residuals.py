"""The residual stream after every block of a quantized model, read from llama.cpp while it evaluates.

Block k is torch's `layers[k]`: llama.cpp names its output `l_out-<k>`, and adds `direction.<k>` of a control vector
to it. What a block hands out is copied from wherever its backend keeps it, so this works on a GPU as well.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Sequence
from typing import Any

import llama_cpp
import numpy as np
from llama_cpp import llama_cpp as bindings
from llama_cpp._ctypes_extensions import load_shared_library
from numpy.typing import NDArray

from assistant.engine.llama.batch import Run, batch_of
from assistant.engine.llama.model import LlamaModel, last_error
from assistant.errors import EngineError

CHUNK_TOKENS = 128
"""Positions at once: llama.cpp keeps room for the logits of all of them."""
OUTPUT_NAME = "l_out-"


def _ggml() -> Any:
    """The tensor library that llama.cpp itself is linked to, with the signatures that are used here.

    Raises: EngineError: it does not lie beside llama.cpp.
    """
    try:
        library = load_shared_library("ggml-base", bindings._base_path)
    except (OSError, RuntimeError) as error:
        raise EngineError(f"cannot read activations ({error}); install llama-cpp-python again") from error
    library.ggml_get_name.argtypes, library.ggml_get_name.restype = [ctypes.c_void_p], ctypes.c_char_p
    library.ggml_nbytes.argtypes, library.ggml_nbytes.restype = [ctypes.c_void_p], ctypes.c_size_t
    copy = library.ggml_backend_tensor_get
    copy.argtypes, copy.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t], None
    return library


class ResidualReader:
    """Reads what blocks of a model hand out, unsteered, in a context of its own.

    Attributes:
        window: how many tokens fit.

    Raises: EngineError: no memory for the window.
    """

    def __init__(self, model: LlamaModel, window: int, threads: int) -> None:
        self.model = model
        self.window = window
        self._library = _ggml()
        self._wanted: dict[str, int] = {}
        self._read: dict[int, list[NDArray[np.float32]]] = {}
        # llama.cpp keeps only the address: the object must live as long as the context.
        self._callback = llama_cpp.ggml_backend_sched_eval_callback(self._observe)
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = window
        params.n_batch = params.n_ubatch = CHUNK_TOKENS
        params.n_threads = params.n_threads_batch = threads
        params.no_perf = True
        params.cb_eval = self._callback
        self._context = llama_cpp.llama_init_from_model(model._model, params)
        if not self._context:
            raise EngineError(
                f"no memory to read activations of {window} tokens ({last_error() or 'llama.cpp gives no reason'}); "
                "choose a smaller model"
            )

    def close(self) -> None:
        """Give the memory back."""
        if self._context:
            llama_cpp.llama_free(self._context)
            self._context = None

    def read(self, tokens: Sequence[int], blocks: Collection[int]) -> dict[int, NDArray[np.float32]]:
        """Output of each block at every position of one sequence, float32 [len(tokens), width].

        Raises: EngineError: no tokens or more than the window, a block that the model does not have, or a model
            that does not hand out its residual stream.
        """
        self._check(tokens, blocks)
        self._wanted = {f"{OUTPUT_NAME}{block}": block for block in blocks}
        self._read = {block: [] for block in blocks}
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        for start in range(0, len(tokens), CHUNK_TOKENS):
            self._evaluate(tokens[start : start + CHUNK_TOKENS], start)
        return {block: self._whole(block, self._read.pop(block), len(tokens)) for block in tuple(self._read)}

    def _whole(self, block: int, parts: Sequence[NDArray[np.float32]], expected: int) -> NDArray[np.float32]:
        if sum(map(len, parts)) != expected:
            raise EngineError(
                f"llama.cpp hands out no residual stream of block {block} of {self.model.path.name}; "
                "choose another model, or compute the vector with torch"
            )
        return np.concatenate(parts)

    def _check(self, tokens: Sequence[int], blocks: Collection[int]) -> None:
        if not 0 < len(tokens) <= self.window:
            raise EngineError(f"{len(tokens)} tokens do not fit the window of {self.window}; shorten the text")
        for block in blocks:
            if not 0 <= block < self.model.blocks:
                raise EngineError(f"there is no block {block}; this model has blocks 0 to {self.model.blocks - 1}")

    def _evaluate(self, chunk: Sequence[int], start: int) -> None:
        # The last block drops the rows whose logits nobody asks for.
        with batch_of([Run(chunk, start, len(chunk))]) as batch:
            status = llama_cpp.llama_decode(self._context, batch)
        if status:
            raise EngineError(f"llama.cpp cannot evaluate {len(chunk)} tokens at position {start} (code {status})")

    def _observe(self, tensor: int, asked: bool, _data: int | None) -> bool:
        """Called for every tensor twice: is it wanted, and then, of those that are, here it is.

        False the second time ends the evaluation: what lies above the last wanted block is not needed.
        """
        block = self._wanted.get(self._library.ggml_get_name(tensor).decode("utf-8", "replace"))
        if block is None:
            return False
        if not asked:
            rows = self._library.ggml_nbytes(tensor) // (4 * self.model.width)
            output = np.empty((rows, self.model.width), np.float32)
            self._library.ggml_backend_tensor_get(tensor, output.ctypes.data, 0, output.nbytes)
            self._read[block].append(output)
        return asked or block < max(self._read)
