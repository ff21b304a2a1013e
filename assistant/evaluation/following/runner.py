"""An evaluation of preference following: what is still to be measured, and what was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict

from assistant.engine.protocol import Sampling
from assistant.evaluation.following_protocol import FOLLOWING_EVENTS, Follow, FollowingResult, FollowingSubject
from assistant.evaluation.process import by_estimator, measured, setup_in_use
from assistant.evaluation.results import Results
from assistant.evaluation.time_left import Progress
from assistant.models.active import ActiveModel
from assistant.paths import Paths
from assistant.settings import Settings
from steering.evaluation.following.names import FOLLOWING, MIN_PREFERENCES, PREFERENCES_VERSION
from steering.evaluation.following.people import Follower, follower_key, others_among
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
    subjects = by_estimator(results, lambda: to_follow(people, results))
    if not subjects:
        return
    request = Follow(setup_in_use(paths, model, settings), subjects, seed)
    async with aclosing(measured(MODULE, FOLLOWING_EVENTS, paths, request, results)) as progress:
        async for step in progress:
            yield step


def to_follow(people: Sequence[Follower], results: Results) -> list[FollowingSubject]:
    """The people with the methods that are still to be measured."""
    known, others, found = following_of(people, results), _others_of(people, results), []
    for person in people:
        key = follower_key(person)
        measurable = FOLLOWING if _usable(person, results) else ()
        wanted = [name for name in measurable if name != OTHER_PERSON or key in others]
        missing = tuple(name for name in wanted if name not in known[person.user_id])
        found.append(FollowingSubject(key, person.user_id, person.preferences, missing, results.profiles.get(key)))
    return found


def measured_followers(people: Sequence[Follower], results: Results) -> list[Follower]:
    """People with every method; `other-person` is missing where there is nobody else."""
    wanted, known = set(FOLLOWING) - {OTHER_PERSON}, following_of(people, results)
    return [person for person in people if wanted <= known[person.user_id].keys()]


def following_of(people: Sequence[Follower], results: Results) -> dict[str, Mapping[str, FollowingResult]]:
    """The results that count by user id and method: with another's profile only where it is that of who is the other
    among these people."""
    others = _others_of(people, results)
    found: dict[str, Mapping[str, FollowingResult]] = {}
    for person in people:
        key = follower_key(person)
        own = {name: results.following.get((key, name)) for name in FOLLOWING}
        own[OTHER_PERSON] = results.following_others.get((key, others.get(key, "")))
        found[person.user_id] = {name: result for name, result in own.items() if result}
    return found


def _others_of(people: Sequence[Follower], results: Results) -> dict[str, str]:
    """See `others_among`; among those who can be measured."""
    return others_among([follower_key(person) for person in people if _usable(person, results)])


def _usable(person: Follower, results: Results) -> bool:
    """Whether enough is left without the preferences that were too long to be read."""
    key = follower_key(person)
    read = [one for one in person.preferences if (key, one.id) not in results.too_long]
    return len(read) >= MIN_PREFERENCES
