"""The quantized chat model in the place of the estimator, for models too large for torch: slower, and no gradients.

Everything is read by llama.cpp, one text at a time, in the memory that the chat model takes anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from steering.control_vector import ControlVector
from steering.models.batches import ScoredText
from steering.models.chat_model import ChatModel
from steering.models.divergence import Divergence, from_logits
from steering.models.network import Directions


@dataclass(frozen=True, slots=True)
class PreparedText:
    """One text; there is nothing that could be computed ahead.

    Attributes:
        indices: position of the text in the list that was prepared.
        owners: zeros, one for each scored row, [rows].
    """

    text: ScoredText
    indices: tuple[int, ...]
    owners: Tensor


class QuantizedNetwork:
    """What `Network` does without gradients, by the chat model itself."""

    gives_gradients = False
    enough_tokens = 0
    """It reads one text at a time."""

    def __init__(self, chat: ChatModel) -> None:
        depth, self.width, self.vocabulary = chat.shape
        self.blocks = range(depth)
        self.context: int | None = chat.window
        self.device = torch.device("cpu")
        self.chat = chat

    def prepare(
        self,
        sequences: Sequence[ScoredText],
        block: int,  # nothing is computed ahead
        *,
        max_batch_tokens: int | None = None,
    ) -> list[PreparedText]:
        """See `Network.prepare`."""
        return [
            PreparedText(text, (i,), torch.zeros(len(text.text_ids), dtype=torch.long))
            for i, text in enumerate(sequences)
        ]

    def rows_by_text(self, prepared: Sequence[PreparedText], directions: Directions | None = None) -> list[Tensor]:
        """Log-probabilities [text tokens, vocabulary] of each text, as half precision: these stay in memory."""
        return [self._logprobs(one.text, directions).half() for one in prepared]

    def logits(self, rows: Tensor) -> Tensor:
        """Log-probabilities are logits, too; float32."""
        return rows.float()

    def divergence_from(self, rows: Tensor) -> Divergence:
        """See `Network.divergence_from`."""
        return from_logits(self.logits, rows)

    def token_logprobs(self, batch: PreparedText, directions: Directions | None = None) -> Tensor:
        """Log-probability of every scored token in nats, float32 [rows]."""
        targets = torch.tensor(batch.text.text_ids)
        return self._logprobs(batch.text, directions).gather(1, targets[:, None])[:, 0]

    def residual_norms(self, prepared: Sequence[PreparedText], blocks: Sequence[int]) -> dict[int, float]:
        """See `Network.residual_norms`."""
        norms: dict[int, list[Tensor]] = {block: [] for block in blocks}
        for one in prepared:
            read = one.text.prompt_ids + one.text.text_ids
            for block, rows in self.chat.residuals(read, blocks).items():
                scored = torch.from_numpy(rows[len(one.text.prompt_ids) - 1 : -1])
                norms[block].append(scored.norm(dim=-1))
        return {block: float(torch.cat(found).median()) for block, found in norms.items()}

    def begin(self, _ids: Sequence[int]) -> None:
        """Nothing to keep: the chat model keeps what it read last, and reads on from there."""

    def continued_logprobs(self, sequences: Sequence[ScoredText], _beginning: object) -> list[Tensor]:
        """See `Network.continued_logprobs`."""
        return [self.token_logprobs(one) for one in self.prepare(sequences, 0)]

    def _logprobs(self, text: ScoredText, directions: Directions | None) -> Tensor:
        vector = None
        if directions:
            vector = ControlVector({b: d.float().cpu().numpy() for b, d in directions.items()}, self.chat.architecture)
        read = text.prompt_ids + text.text_ids
        first = len(text.prompt_ids) - 1
        return torch.from_numpy(np.asarray(self.chat.logprobs(read[:-1], vector, first=first)))
