"""What a KV cache holds, and what was copied out of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Held:
    """What a KV cache holds: `tokens`, the first `plain` of them evaluated without the vector named by `vector`."""

    tokens: tuple[int, ...]
    plain: int
    vector: bytes


@dataclass(frozen=True, slots=True)
class Read:
    """A prompt that was read, the first `plain` tokens without the vector, and the logits [vocabulary] at its end."""

    tokens: tuple[int, ...]
    plain: int
    logits: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Saved:
    """The keys and values of what a cache held, copied out of it, and the prompts in it that were read last."""

    held: Held
    state: NDArray[np.uint8]
    reads: tuple[Read, ...]

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.state.nbytes + sum(read.logits.nbytes for read in self.reads)


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many of the first tokens are the same."""
    length = min(len(one), len(other))
    for index in range(length):
        if one[index] != other[index]:
            return index
    return length
