"""An evaluation of preference following: what is still to be measured, and what was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict

from assistant.engine.protocol import Sampling
from assistant.evaluation.following_protocol import FOLLOWING_EVENTS, Follow, FollowingSubject
from assistant.evaluation.process import by_estimator, measured, setup_in_use
from assistant.evaluation.results import Results
from assistant.evaluation.time_left import Progress
from assistant.models.active import ActiveModel
from assistant.paths import Paths
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
    alone = len(people) == 1
    subjects = by_estimator(results, lambda: [_subject(person, results, alone=alone) for person in people])
    if not subjects:
        return
    request = Follow(setup_in_use(paths, model, settings), subjects, seed)
    async with aclosing(measured(MODULE, FOLLOWING_EVENTS, paths, request, results)) as progress:
        async for step in progress:
            yield step


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
