"""What a rebuild asks of the chat model that will be steered; the app supplies it (llama.cpp)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from steering.control_vector import ControlVector


class ChatModel(Protocol):
    """The very quantized model that a person chats with."""

    @property
    def architecture(self) -> str:
        """`general.architecture` of its GGUF file."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of blocks, width of the residual stream, size of the vocabulary."""
        ...

    def tokenize(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, without begin or end token; what looks like a control token stays text."""
        ...

    def reply(
        self,
        request: str,
        *,
        system: str = "",
        vector: ControlVector | None = None,
        max_tokens: int,
        greedy: bool = False,
        seed: int = 0,
    ) -> str:
        """One reply under the sampling settings that the person chats with, or greedy."""
        ...

    def logprobs(self, token_ids: Sequence[int], vector: ControlVector | None = None) -> npt.NDArray[np.float32]:
        """Log-probabilities of the next token after every position, [tokens, vocabulary], nats."""
        ...
