"""What the app and the evaluation process tell each other: plain dataclasses, one JSON object a line."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.engine.protocol import Sampling
from assistant.rebuild.protocol import Effect
from steering.evaluation.names import Extent
from steering.items import PreferenceItem


@dataclass(frozen=True, slots=True)
class Subject:
    """A person to measure.

    Attributes:
        key: hash of their texts; results are kept under it.
        methods: what is still to be measured, in order.
        effects: what is known of the history's effects; complete or empty.
        vector: of `steerx-optimized`, where it was made before: direction by block.
    """

    key: str
    user_id: str
    history: tuple[PreferenceItem, ...]
    test: tuple[PreferenceItem, ...]
    methods: tuple[str, ...]
    effects: tuple[Effect, ...]
    vector: dict[int, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Choice:
    """A question of four choices."""

    question: str
    choices: tuple[str, str, str, str]
    answer: int


@dataclass(frozen=True, slots=True)
class Setup:
    """The model that is measured, and how it chats; `neutral_replies` are empty where they are not known yet."""

    model_path: str
    fingerprint: str
    estimator_cache: str
    sampling: Sampling
    threads: int | None
    neutral_replies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Measure these people; `texts` and `questions` are what damage is measured on, the program's own where empty.

    `subjects` are by the fingerprint of the estimator that has measured what is known of them, and under "" as they are
    to one that has measured nothing.
    """

    setup: Setup
    subjects: dict[str, tuple[Subject, ...]]
    texts: tuple[str, ...]
    questions: tuple[Choice, ...]
    seed: int
    replies: int
    extent: Extent


@dataclass(frozen=True, slots=True)
class Begun:
    """A stage of a person has begun: "model", "neutral replies", "effects" or the name of a method."""

    user_id: str
    stage: str


@dataclass(frozen=True, slots=True)
class Learner:
    """The estimator that was loaded: see `steering.models.estimator.Estimator`."""

    fingerprint: str
    limitation: str


@dataclass(frozen=True, slots=True)
class Neutral:
    """The model's replies to the neutral requests, to keep for the next run."""

    replies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TooLong:
    """A person's item is not used: its prompt is longer than what the model reads at once."""

    key: str
    user_id: str
    item_id: str
    tokens: int
    context: int


@dataclass(frozen=True, slots=True)
class EffectsFound:
    """All effects of a person's history; seconds, and the most memory in the meantime (MiB)."""

    key: str
    effects: tuple[Effect, ...]
    seconds: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """See `steering.evaluation.study.Point`."""

    target: float
    kl: float
    gain: float


@dataclass(frozen=True, slots=True)
class MethodResult:
    """See `steering.evaluation.study.Measured`; `other` and `other_key` are whose vector was another person's."""

    key: str
    user_id: str
    method: str
    gain: float
    kl: float
    nll_unsteered: float
    curve: tuple[CurvePoint, ...]
    blocks: tuple[int, ...]
    chosen_kl: float
    perplexity: float | None
    accuracy: float | None
    replies: tuple[str, ...]
    vector: dict[int, tuple[float, ...]]
    seconds: dict[str, float]
    shared_seconds: dict[str, float]
    peak_mib: float
    other: str
    other_key: str


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Everything is measured."""


@dataclass(frozen=True, slots=True)
class EvaluationFailed:
    """It could not be done; `message` is for the user."""

    message: str


EvaluationMessage = Begun | Learner | Neutral | TooLong | EffectsFound | MethodResult | Evaluated | EvaluationFailed
EVENTS: tuple[type[EvaluationMessage], ...] = (
    Begun,
    Learner,
    Neutral,
    TooLong,
    EffectsFound,
    MethodResult,
    Evaluated,
    EvaluationFailed,
)
