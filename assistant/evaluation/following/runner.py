"""Starts the process that measures preference following, keeps each result as it comes, and says how far it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict

from assistant.conversation.sampling import sampling_in_use
from assistant.engine.protocol import Sampling
from assistant.evaluation.following_protocol import (
    FOLLOWING_EVENTS,
    Follow,
    FollowingResult,
    FollowingSubject,
    ProfileLearned,
)
from assistant.evaluation.protocol import Begun, Neutral, TooLong
from assistant.evaluation.results import Results
from assistant.evaluation.runner import Progress, TimeLeft, messages_of
from assistant.models.active import ActiveModel
from assistant.paths import Paths
from assistant.rebuild.neutral_cache import NeutralCache
from assistant.settings import Settings
from steering.evaluation.following.names import FOLLOWING, PREFERENCES_VERSION
from steering.evaluation.following.people import Follower, follower_key
from steering.evaluation.names import OTHER_PERSON

MODULE = "assistant.evaluation.following.worker"


def following_run(fingerprint: str, sampling: Sampling, seed: int) -> str:
    """Names what results depend on beside person and method (hex, 16 characters)."""
    parts = ["preferences", PREFERENCES_VERSION, fingerprint, asdict(sampling), seed]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


async def follow(
    paths: Paths, model: ActiveModel, settings: Settings, people: Sequence[Follower], seed: int, results: Results
) -> AsyncGenerator[Progress]:
    """Measure what `results` lacks and add it to them. Closing the iterator ends the process at once.

    Raises: EvaluationError: no model, out of memory, a crash; what was measured is kept.
    """
    subjects = [_subject(person, results, alone=len(people) == 1) for person in people]
    if not any(subject.methods for subject in subjects):
        return
    sampling = sampling_in_use(settings, model).as_sampling()
    neutral = NeutralCache(paths, model.fingerprint(), sampling)
    request = Follow(
        subjects=tuple(subjects),
        neutral_replies=neutral.read(),
        seed=seed,
        model_path=str(model.path()),
        fingerprint=model.fingerprint(),
        estimator_cache=str(paths.estimators),
        sampling=sampling,
        threads=settings.model.threads or None,
    )
    time_left = TimeLeft((subject.user_id, name) for subject in subjects for name in subject.methods)
    async with aclosing(messages_of(MODULE, FOLLOWING_EVENTS, paths, request)) as messages:
        async for message in messages:
            match message:
                case Begun():
                    yield time_left.begin(message)
                case TooLong():
                    if (message.key, message.item_id) not in results.too_long:
                        results.add(message)
                case Neutral():
                    neutral.write(message.replies)
                    time_left.begin(Begun("", "neutral replies"))
                case ProfileLearned():
                    results.add(message)
                case FollowingResult():
                    results.add(message)
                    time_left.end(message.user_id, message.method)


def measured_followers(people: Sequence[Follower], results: Results) -> list[Follower]:
    """People with every method; `other-person` is missing where there is nobody else."""
    wanted = set(FOLLOWING) - {OTHER_PERSON}
    return [person for person in people if all((follower_key(person), name) in results.following for name in wanted)]


def _subject(person: Follower, results: Results, *, alone: bool) -> FollowingSubject:
    """The person with the methods that are still to be measured."""
    key = follower_key(person)
    wanted = [name for name in FOLLOWING if not (alone and name == OTHER_PERSON)]
    missing = tuple(name for name in wanted if (key, name) not in results.following)
    return FollowingSubject(key, person.user_id, person.preferences, missing, results.profiles.get(key))
