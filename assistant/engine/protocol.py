"""Requests and events between the app and the engine process: plain dataclasses, one JSON object a line.

JSON and not pickle: whatever arrives on the pipe can be shown, logged and fuzzed, and never runs code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation, oldest first in a list.

    `reasoning` is what a model thought before this reply; it is read only where the reply goes on.
    """

    role: Role
    text: str
    reasoning: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn.

    Temperature 0 is greedy; a seed of None draws a new one, which `Finished` tells. The whole reply obeys the grammar
    (GBNF, root rule `root`) or the JSON schema (its text) where there is one, but `max_tokens` and `stop` may still cut
    it. `logprobs` is how many of the likeliest tokens are told with every token; None tells nothing.
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
    json_schema: str = ""
    logprobs: int | None = None


@dataclass(frozen=True, slots=True)
class Tuning:
    """How llama.cpp computes on this machine.

    Attributes:
        threads: for one token at a time; `prompt_threads` for many at once (0: as many).
        batch_tokens: tokens of a prompt that are evaluated at once.
        flash_attention: None leaves it to llama.cpp.
        kv_type: of keys and values; `q8_0` takes half the memory.
    """

    threads: int
    prompt_threads: int = 0
    batch_tokens: int = 512
    flash_attention: bool | None = None
    kv_type: Literal["f16", "q8_0"] = "f16"


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model, giving back the memory of the one before.

    Without a `tuning` a short measurement finds one, with `threads` fixed where they are given.
    """

    model_path: str
    context_tokens: int = 4096
    threads: int | None = None
    gpu_layers: int = -1
    tuning: Tuning | None = None


Positions = Literal["all", "generated"]
"""Where a control vector is added: everywhere, or at generated tokens only (prompts are read without it)."""


@dataclass(frozen=True, slots=True)
class Steer:
    """Set the control vector (a GGUF file) and its strength (1 = calibrated); no path or strength 0 clears it."""

    vector_path: str | None
    strength: float = 1.0
    positions: Positions = "all"


@dataclass(frozen=True, slots=True)
class Generate:
    """Reply to a conversation. With `continue_last` the last turn is an unfinished reply that goes on.

    With `plain_turns` another reply is written side by side with it, token by token: to those turns, without any
    control vector. Its events are those of `side` 1.
    """

    turns: tuple[Turn, ...]
    sampling: Sampling = field(default_factory=Sampling)
    continue_last: bool = False
    plain_turns: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop the reply that is being generated; it ends with reason `stopped`."""


Request = Load | Steer | Generate | Stop


@dataclass(frozen=True, slots=True)
class Beat:
    """The engine works on a request and is alive; comes every second meanwhile."""


@dataclass(frozen=True, slots=True)
class Loading:
    """A model is being read: the share that is done, 0 to 1."""

    share: float


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model is ready.

    `steerable` is the measured answer to "do the logits move when a control vector is set?":
    architectures without the hook ignore the vector and say nothing. `measured` says that the tuning was found just
    now, on a machine with nothing else to do: it is worth remembering. `gpu`: llama.cpp was built to use one.
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
    tuning: Tuning
    measured: bool
    gpu: bool


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
    side: int = 0


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A drawn token and the likeliest ones in its place, with their log-probabilities in nats.

    They are the model's own (under the control vector), before temperature, penalties and grammar.
    """

    text: str
    logprob: float
    likeliest: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the reply, always whole characters; `tokens` are those drawn since the piece before, where asked."""

    text: str
    side: int = 0
    tokens: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of what the model thinks before its reply."""

    text: str
    side: int = 0


StopReason = Literal["end", "length", "stopped", "context"]


@dataclass(frozen=True, slots=True)
class Finished:
    """The reply is over.

    Attributes:
        reason: `end` the model ended it, `length` max_tokens, `stopped` by the user, `context` the window is full.
        prompt_tokens: tokens of the prompt, of which `prefilled_tokens` had to be evaluated anew.
        dropped_turns: oldest turns that no longer fitted the window and were left out.
        reply_tokens: tokens of the reply, of which `reasoning_tokens` were thought.
        context_used: tokens in the window after the reply, of `context_tokens`.
        seed: with the same settings, from the same start, it gives the same reply.
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
    reasoning_tokens: int = 0
    seed: int = 0
    side: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """A request could not be carried out; `message` says what, where and what to do, for the user."""

    message: str


Event = Beat | Loading | Loaded | Steered | Prefill | Piece | Thought | Finished | Failed
