"""The control vector of a context: which one it has, and whether it acts on what is evaluated next."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Mapping
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from assistant.engine.llama.model import LlamaModel
from assistant.errors import EngineError


class VectorAdapter:
    """Holds at most one control vector for a llama.cpp context.

    Attributes:
        name: tells vectors apart; empty where there is none.
    """

    def __init__(self, context: Any, model: LlamaModel) -> None:
        self.name = b""
        self._context, self._model = context, model
        self._vector: NDArray[np.float32] | None = None
        self._acts = False

    def set(self, directions: Mapping[int, NDArray[np.float32]]) -> bool:
        """Take directions [width] by block; none, or nothing but zeros, is no vector. Returns whether it is a new one.

        Raises: EngineError: a block or a width that the model does not have.
        """
        vector = self._buffer(directions)
        if _same(vector, self._vector):
            return False
        self._vector = vector
        self.name = b"" if vector is None else hashlib.sha256(vector.tobytes()).digest()
        self._put_in_force(vector is not None)
        return True

    def act(self, wanted: bool) -> None:
        """Let the vector, if there is one, act on what is evaluated next, or not."""
        if (wanted and self._vector is not None) != self._acts:
            self._put_in_force(not self._acts)

    def _put_in_force(self, wanted: bool) -> None:
        vector = self._vector if wanted else None
        data = None if vector is None else vector.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        size = 0 if vector is None else vector.size
        first, last = self._steered_blocks(vector)
        if llama_cpp.llama_set_adapter_cvec(self._context, data, size, self._model.width, first, last):
            raise EngineError("llama.cpp refuses the control vector; rebuild the profile for this model")
        self._acts = wanted

    def _steered_blocks(self, vector: NDArray[np.float32] | None) -> tuple[int, int]:
        """First and last block with a direction: each one between them costs an addition a token."""
        if vector is None:
            return 1, self._model.blocks - 1
        blocks = np.flatnonzero(vector.reshape(-1, self._model.width).any(axis=1)) + 1
        return int(blocks[0]), int(blocks[-1])

    def _buffer(self, directions: Mapping[int, NDArray[np.float32]]) -> NDArray[np.float32] | None:
        width, count = self._model.width, self._model.blocks
        rows = np.zeros((max(count - 1, 0), width), dtype=np.float32)
        for block, direction in directions.items():
            if not 1 <= block < count or direction.shape != (width,):
                raise EngineError(
                    f"the control vector is made for another model (block {block}, width {direction.size}; "
                    f"this model has {count} blocks of width {width}); rebuild the profile"
                )
            rows[block - 1] = direction
        return rows.ravel() if rows.any() else None


def _same(one: NDArray[np.float32] | None, other: NDArray[np.float32] | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other)
