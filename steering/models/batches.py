"""Texts as a model reads them: several side by side, padded on the right, those of like length together.

In a causal model no real position sees what follows it, so no mask is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

CPU_ENOUGH, GPU_MOST = 256, 16384
"""See `enough_tokens`; a GPU's batches are no larger, for its memory's sake."""
GPU_PASS = 4e12
"""Weights times positions that a GPU multiplies while a program tells it what to do in one pass: 20 ms of an H100."""
MAX_PADDING = 0.1
"""The share of padding that is too much once there are positions enough."""


@dataclass(frozen=True, slots=True)
class ScoredText:
    """A prompt and the text that is scored after it, as token ids; `text_ids` is not empty."""

    prompt_ids: tuple[int, ...]
    text_ids: tuple[int, ...]

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.prompt_ids) + len(self.text_ids)


@dataclass(frozen=True, slots=True)
class PaddedBatch:
    """Sequences side by side, padded on the right.

    Attributes:
        ids: token ids, [sequences, positions].
        rows: flat positions whose next token is scored, [rows].
        targets: the token that follows each row, [rows].
        owners: which sequence of the batch each row belongs to, [rows].
    """

    ids: Tensor
    rows: Tensor
    targets: Tensor
    owners: Tensor


def padded(sequences: Sequence[ScoredText], device: torch.device) -> PaddedBatch:
    """The sequences as one batch; its rows are in the order of the sequences and their texts."""
    width = max(s.length for s in sequences)
    ids = torch.zeros(len(sequences), width, dtype=torch.long)
    rows: list[int] = []
    targets: list[int] = []
    owners: list[int] = []
    for row, s in enumerate(sequences):
        ids[row, : s.length] = torch.tensor(s.prompt_ids + s.text_ids)
        first = row * width + len(s.prompt_ids) - 1
        rows += range(first, first + len(s.text_ids))
        targets += s.text_ids
        owners += [row] * len(s.text_ids)
    return PaddedBatch(ids.to(device), *(torch.tensor(part, device=device) for part in (rows, targets, owners)))


def enough_tokens(device: torch.device, parameters: int) -> int:
    """Positions in one pass from which on each takes as long as in a larger one; fewer take as long as so many."""
    if device.type != "cuda":
        return CPU_ENOUGH
    return max(CPU_ENOUGH, min(GPU_MOST, int(GPU_PASS / parameters)))


def batches(sequences: Sequence[ScoredText], max_tokens: int, enough: int = CPU_ENOUGH) -> list[tuple[int, ...]]:
    """Indices grouped by similar length so that no padded batch holds more than `max_tokens` positions.

    From `enough` positions on a batch takes no text that would be padded much.
    """
    order = sorted(range(len(sequences)), key=lambda i: -sequences[i].length)
    groups: list[list[int]] = []
    for i in order:
        longest = sequences[groups[-1][0]].length if groups else 0
        full = not groups or longest * (len(groups[-1]) + 1) > max_tokens
        padded_much = sequences[i].length < longest * (1 - MAX_PADDING)
        if full or (padded_much and longest * len(groups[-1]) >= enough):
            groups.append([])
        groups[-1].append(i)
    return [tuple(group) for group in groups]
