"""What the app and the process that measures preference following tell each other, beside `protocol`."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.evaluation.protocol import Begun, Evaluated, EvaluationFailed, Learner, Neutral, Setup, TooLong
from steering.evaluation.following.people import Preference


@dataclass(frozen=True, slots=True)
class ProfileLearned:
    """A person's profile: see `steering.evaluation.following.profile.Learned`; direction by block.

    Seconds to make it, and the most memory in the meantime (MiB).
    """

    key: str
    user_id: str
    description: str
    directions: dict[int, tuple[float, ...]]
    kl_vector: float
    kl_description: float
    kl_both: float
    seconds: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class FollowingResult:
    """See `steering.evaluation.following.study.Scores`; `other` and `other_key` are whose profile was another person's.

    `item_ids` are the preferences of `nlls`, in order: those that were too long are not among them.
    """

    key: str
    user_id: str
    method: str
    item_ids: tuple[str, ...]
    nlls: tuple[tuple[float, ...], ...]
    kl: float | None
    seconds: float
    other: str
    other_key: str = ""  # rows of before know none, and count where there is none


@dataclass(frozen=True, slots=True)
class FollowingSubject:
    """A person to measure.

    Attributes:
        key: hash of their preferences; results are kept under it.
        methods: what is still to be measured, in order.
        profile: what was learned of them before, None where nothing was.
    """

    key: str
    user_id: str
    preferences: tuple[Preference, ...]
    methods: tuple[str, ...]
    profile: ProfileLearned | None


@dataclass(frozen=True, slots=True)
class Follow:
    """Measure these people; whose profile is another person's, see `others_among`.

    `subjects` are by estimator, as in `Evaluate`.
    """

    setup: Setup
    subjects: dict[str, tuple[FollowingSubject, ...]]
    seed: int


FollowingMessage = Begun | Learner | Neutral | TooLong | ProfileLearned | FollowingResult | Evaluated | EvaluationFailed
FOLLOWING_EVENTS: tuple[type[FollowingMessage], ...] = (
    Begun,
    Learner,
    Neutral,
    TooLong,
    ProfileLearned,
    FollowingResult,
    Evaluated,
    EvaluationFailed,
)
