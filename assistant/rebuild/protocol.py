"""What the app and the rebuild process tell each other: plain dataclasses, one JSON object a line."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.engine.protocol import Sampling
from steering.items import PreferenceItem
from steering.models.choice import Choice
from steering.profile import KeptVector, Outcome


@dataclass(frozen=True, slots=True)
class Effect:
    """Effects of one item and the key they are kept under; see `storage.records.EffectRecord`."""

    item_id: str
    item_hash: str
    context_hash: str
    estimator: str
    method: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    logp_with: tuple[float, ...]
    logp_without: tuple[float, ...]
    history: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """Rebuild from these items; `cached` are effects that need no scoring.

    `neutral_replies` are the model's replies to the neutral prompts under this sampling, where they are known, and
    `another_author` the vector of neutral texts that the last rebuild kept.
    """

    items: tuple[PreferenceItem, ...]
    cached: tuple[Effect, ...]
    vetoed_phrases: tuple[str, ...]
    description: str | None
    neutral_replies: tuple[str, ...]
    model_path: str
    fingerprint: str
    estimator_cache: str
    sampling: Sampling
    threads: int | None
    estimator: str = Choice.AUTOMATIC
    another_author: KeptVector | None = None


@dataclass(frozen=True, slots=True)
class CheckParity:
    """Compare the estimator with the chat model; nothing is learned."""

    model_path: str
    fingerprint: str
    estimator_cache: str
    threads: int | None
    estimator: str = Choice.AUTOMATIC


@dataclass(frozen=True, slots=True)
class StageProgress:
    """A stage has done `done` of `total` units."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Scored:
    """Effects that are complete: they are kept at once, so that a killed rebuild never scores them again."""

    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Built:
    """The end: the outcome, and the control vector as the bytes of a GGUF file in base64 (empty: none)."""

    outcome: Outcome
    vector: str
    neutral_replies: tuple[str, ...]
    another_author: KeptVector | None = None


@dataclass(frozen=True, slots=True)
class RebuildFailed:
    """The rebuild could not be done; `message` is for the user."""

    message: str


@dataclass(frozen=True, slots=True)
class ParityFound:
    """Estimator and chat model are the same network.

    Attributes:
        kl: mean KL in nats between their predictions on plain text.
        same_tokens: share of the tokens of plain text that both cut alike.
        limitation: where the machine allows less than the best method; empty where it does not.
    """

    kl: float
    same_tokens: float
    limitation: str


RebuildRequest = Start | CheckParity
RebuildMessage = StageProgress | Scored | Built | RebuildFailed
ParityMessage = ParityFound | RebuildFailed
