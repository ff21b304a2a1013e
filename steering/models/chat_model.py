"""What a rebuild asks of the chat model that will be steered; the app supplies it (llama.cpp)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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

    @property
    def parameters(self) -> int:
        """How many weights it has."""
        ...

    @property
    def window(self) -> int:
        """Tokens that it reads at once."""
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
        grammar: str = "",
    ) -> str:
        """One reply under the sampling settings that the person chats with, or greedy; it obeys a grammar (GBNF)."""
        ...

    def replies(
        self,
        requests: Sequence[str],
        *,
        system: str | Callable[[str], str] = "",
        vector: ControlVector | None = None,
        max_tokens: int,
        on_reply: Callable[[int], None] = ...,
    ) -> list[str]:
        """A reply to every request under the sampling settings that the person chats with, some at a time.

        `system` is one prompt for all, or what gives a request its own. Each reply is seeded by its place, so that both
        sides of a comparison draw alike; `on_reply` gets how many are done.
        """
        ...

    def logprobs(
        self, token_ids: Sequence[int], vector: ControlVector | None = None, *, first: int = 0
    ) -> npt.NDArray[np.float32]:
        """Log-probabilities of the next token after every position from `first` on, [tokens, vocabulary], nats."""
        ...

    def residuals(self, token_ids: Sequence[int], blocks: Collection[int]) -> Mapping[int, npt.NDArray[np.float32]]:
        """Output of each block at every position of one sequence, unsteered, [tokens, width].

        Raises: an error of the app, for the user: the model does not hand out its residual stream.
        """
        ...
