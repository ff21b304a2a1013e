"""What the stages of a rebuild ask of a model: torch's (`Network`) or the quantized chat model (`QuantizedNetwork`)."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any, Protocol

import torch
from torch import Tensor

from steering.models.batches import ScoredText
from steering.models.divergence import Divergence
from steering.models.network import Directions


class LanguageModel(Protocol):
    """A frozen causal LM that can be steered. What `prepare` gives is only passed back."""

    @property
    def blocks(self) -> Sized:
        """As many as the model is deep."""
        ...

    @property
    def gives_gradients(self) -> bool:
        """Whether log-probabilities can be differentiated in the directions."""
        ...

    @property
    def width(self) -> int:
        """Of the residual stream."""
        ...

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        ...

    @property
    def context(self) -> int | None:
        """Tokens that can be read at once; None: unlimited."""
        ...

    @property
    def enough_tokens(self) -> int:
        """Positions in one pass from which on each takes as long as in a larger one; fewer take as long as so many."""
        ...

    @property
    def device(self) -> torch.device:
        """Where its tensors lie."""
        ...

    def prepare(
        self, sequences: Sequence[ScoredText], block: int, *, max_batch_tokens: int | None = None
    ) -> Sequence[Any]:
        """Run all sequences up to block `block`, as far as that can be done ahead."""
        ...

    def rows_by_text(self, prepared: Sequence[Any], directions: Directions | None = None) -> list[Tensor]:
        """What `logits` takes, for each scored token's place, [text tokens, ...] each, in the order of `prepare`."""
        ...

    def logits(self, rows: Tensor) -> Tensor:
        """Logits in float32, [rows, vocabulary]."""
        ...

    def divergence_from(self, rows: Tensor) -> Divergence:
        """KL in nats from the distributions of these rows to those of as many others."""
        ...

    def token_logprobs(self, batch: Any, directions: Directions | None = None) -> Tensor:
        """Log-probability of every scored token in nats, float32 [rows], with the directions added."""
        ...

    def residual_norms(self, prepared: Sequence[Any], blocks: Sequence[int]) -> dict[int, float]:
        """Median norm of each block's output over the scored rows."""
        ...

    def begin(self, ids: Sequence[int]) -> Any:
        """Read what many sequences begin with; None where they are read whole."""
        ...

    def continued_logprobs(self, sequences: Sequence[ScoredText], beginning: Any) -> list[Tensor]:
        """Log-probabilities in nats of every sequence's text, float32 [text tokens] each."""
        ...
