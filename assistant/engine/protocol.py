"""Requests and events between the app and the engine process: plain dataclasses, one JSON object a line.

JSON and not pickle: whatever arrives on the pipe can be shown, logged and fuzzed, and never runs code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, oldest first in a list."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn.

    Temperature 0 is greedy; a seed of None draws a new one. The whole reply obeys the grammar (GBNF, root rule
    `root`) where there is one, but `max_tokens` and `stop` may still cut it.
    """

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    dry_multiplier: float = 0.0
    max_tokens: int = 1024
    seed: int | None = None
    stop: tuple[str, ...] = ()
    grammar: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model, giving back the memory of the one before."""

    model_path: str
    context_tokens: int = 4096
    threads: int | None = None
    gpu_layers: int = -1


@dataclass(frozen=True, slots=True)
class Steer:
    """Set the control vector (a GGUF file) and its strength (1 = calibrated); no path or strength 0 clears it."""

    vector_path: str | None
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Generate:
    """Reply to a conversation. With `continue_last` the last turn is an unfinished reply that goes on."""

    turns: tuple[Turn, ...]
    sampling: Sampling = field(default_factory=Sampling)
    continue_last: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the reply that is being generated; it ends with reason `stopped`."""


Request = Load | Steer | Generate | Stop


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model is ready.

    `steerable` is the measured answer to "do the logits move when a control vector is set?":
    architectures without the hook ignore the vector and say nothing.
    """

    model_path: str
    name: str
    architecture: str
    blocks: int
    width: int
    vocabulary: int
    context_tokens: int
    steerable: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Steered:
    """The control vector now in force (None: none); it obeys from the next token on."""

    vector_path: str | None
    strength: float


@dataclass(frozen=True, slots=True)
class Prefill:
    """A long prompt is being read: `done` of `total` new tokens."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the reply, always whole characters."""

    text: str


StopReason = Literal["end", "length", "stopped", "context"]


@dataclass(frozen=True, slots=True)
class Finished:
    """The reply is over.

    Attributes:
        reason: `end` the model ended it, `length` max_tokens, `stopped` by the user, `context` the window is full.
        prompt_tokens: tokens of the prompt, of which `prefilled_tokens` had to be evaluated anew.
        dropped_turns: oldest turns that no longer fitted the window and were left out.
        context_used: tokens in the window after the reply, of `context_tokens`.
    """

    reason: StopReason
    prompt_tokens: int
    prefilled_tokens: int
    reply_tokens: int
    first_token_seconds: float
    seconds: float
    dropped_turns: int
    context_used: int
    context_tokens: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A request could not be carried out; `message` says what, where and what to do, for the user."""

    message: str


Event = Loaded | Steered | Prefill | Piece | Finished | Failed
