"""Tokens as llama.cpp takes them: each at its place in its sequence, with or without logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import llama_cpp


@dataclass(frozen=True, slots=True)
class Run:
    """Tokens that follow each other in a sequence, from a position on; so many of the last are to have logits."""

    tokens: Sequence[int]
    start: int
    logits: int
    sequence: int = 0


@contextmanager
def batch_of(runs: Sequence[Run]) -> Iterator[Any]:
    """A `llama_batch` of runs; rows of logits come in their order."""
    batch = llama_cpp.llama_batch_init(sum(len(run.tokens) for run in runs), 0, 1)
    try:
        for run in runs:
            for offset, token in enumerate(run.tokens):
                index = batch.n_tokens
                batch.token[index] = token
                batch.pos[index] = run.start + offset
                batch.n_seq_id[index] = 1
                batch.seq_id[index][0] = run.sequence
                batch.logits[index] = len(run.tokens) - offset <= run.logits
                batch.n_tokens += 1
        yield batch
    finally:
        llama_cpp.llama_batch_free(batch)
