"""Several sequences of tokens in one window: a token of each is computed at a time, and the weights read once for all.

Nothing here is safe to call from two threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from assistant.engine.llama.adapter import VectorAdapter
from assistant.engine.llama.batch import Run, batch_of
from assistant.engine.llama.held import common_prefix
from assistant.engine.llama.model import LlamaModel
from assistant.engine.llama.opening import context_params, opened
from assistant.engine.protocol import Tuning
from assistant.errors import EngineError

READ_ALONE_TOKENS = 64
"""A longer rest of a prompt is read before the next one begins, which may share it; shorter ones are read together."""


class ParallelContext:
    """So many sequences, numbered from 0 on, all under one control vector.

    Attributes:
        window: how many tokens fit, of all sequences together.
        sequences: how many there are.

    Raises: EngineError: no memory for the window.
    """

    def __init__(self, model: LlamaModel, window: int, sequences: int, tuning: Tuning) -> None:
        self.model, self.window, self.sequences = model, window, sequences
        params = context_params(window, tuning)
        params.n_batch = window  # what waits is evaluated in one call, and its logits are there together
        params.n_seq_max, params.kv_unified = sequences, True
        self._context = opened(model, params)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._adapter = VectorAdapter(self._context, model)
        # A recurrent state is of all that was read: it cannot be cut, nor shared in part.
        self._shares = not (
            llama_cpp.llama_model_is_recurrent(model._model) or llama_cpp.llama_model_is_hybrid(model._model)
        )
        self._held: list[list[int]] = [[] for _ in range(sequences)]
        self._waiting: dict[int, list[int]] = {}
        self._rows: dict[int, int] = {}

    def close(self) -> None:
        """Give the memory back."""
        if self._context:
            llama_cpp.llama_free(self._context)
            self._context = None

    def set_control_vector(self, directions: Mapping[int, NDArray[np.float32]]) -> None:
        """See `LlamaContext.set_control_vector`: one that differs from the one in force empties all sequences.

        Raises: EngineError: a block or a width that the model does not have.
        """
        if self._adapter.set(directions):
            self.empty()

    def held(self, sequence: int) -> int:
        """How many tokens of it are in the window."""
        return len(self._held[sequence])

    def clear(self, sequence: int) -> None:
        """Empty a sequence."""
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        self._held[sequence] = []
        self._waiting.pop(sequence, None)

    def empty(self) -> None:
        """Empty all sequences."""
        for sequence in range(self.sequences):
            self.clear(sequence)

    def start(self, sequence: int, prompt: Sequence[int]) -> None:
        """Begin a sequence anew with a prompt; how it begins is not read again where any sequence holds it.

        Raises: EngineError: llama.cpp fails.
        """
        donor, shared = self._like(prompt)
        if donor != sequence:
            self.clear(sequence)
            if shared:
                llama_cpp.llama_memory_seq_cp(self._memory, donor, sequence, 0, shared)
        elif not llama_cpp.llama_memory_seq_rm(self._memory, sequence, shared, -1):
            self.clear(sequence)
            shared = 0
        self._held[sequence] = list(prompt[:shared])
        self._waiting[sequence] = list(prompt[shared:])
        if len(prompt) - shared > READ_ALONE_TOKENS:
            self._decode([Run(prompt[shared:-1], shared, 0, sequence)])
            self._waiting[sequence] = [prompt[-1]]

    def append(self, sequence: int, token: int) -> None:
        """Add a token to a sequence."""
        self._waiting.setdefault(sequence, []).append(token)

    def evaluate(self) -> None:
        """Compute all that waits; `row` then tells where the logits of each of these sequences lie.

        Raises: EngineError: llama.cpp fails.
        """
        waiting, self._waiting = self._waiting, {}
        self._decode([Run(tokens, self.held(sequence), 1, sequence) for sequence, tokens in waiting.items()])
        # llama.cpp counts rows of logits by their tokens' places in the batch.
        ends = np.cumsum([len(tokens) for tokens in waiting.values()]) - 1
        self._rows = dict(zip(waiting, map(int, ends), strict=True))

    def row(self, sequence: int) -> int:
        """Where the logits after the last token of the sequence lie."""
        return self._rows[sequence]

    def _like(self, prompt: Sequence[int]) -> tuple[int, int]:
        """The sequence that begins most like the prompt, and how many tokens they share; the last is read anyway."""
        if not self._shares:
            return 0, 0
        common = [common_prefix(held, prompt) for held in self._held]
        donor = max(range(self.sequences), key=common.__getitem__)
        return donor, min(common[donor], len(prompt) - 1)

    def _decode(self, runs: Sequence[Run]) -> None:
        with batch_of(runs) as batch:
            status = llama_cpp.llama_decode(self._context, batch)
        if status:
            self.empty()
            raise EngineError(f"llama.cpp cannot evaluate {batch.n_tokens} tokens of {len(runs)} replies ({status})")
        for run in runs:
            self._held[run.sequence] += run.tokens
