"""The process that measures: what it is told of the model, and what it says, kept as it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Any, TypeVar

from assistant.child import Child
from assistant.conversation.sampling import sampling_in_use
from assistant.errors import AssistantError, EngineError
from assistant.evaluation.following_protocol import Follow, FollowingResult, FollowingSubject, ProfileLearned
from assistant.evaluation.protocol import (
    Begun,
    EffectsFound,
    Evaluate,
    Evaluated,
    EvaluationFailed,
    Learner,
    MethodResult,
    Neutral,
    Setup,
    Subject,
    TooLong,
)
from assistant.evaluation.results import Results
from assistant.evaluation.time_left import Progress, TimeLeft
from assistant.models.active import ActiveModel
from assistant.paths import Paths
from assistant.rebuild.neutral_cache import NeutralCache
from assistant.rebuild.runner import CHILD_ENVIRONMENT
from assistant.settings import Settings

SubjectT = TypeVar("SubjectT", Subject, FollowingSubject)


class EvaluationError(AssistantError):
    """An evaluation could not be started or finished."""


def setup_in_use(paths: Paths, model: ActiveModel, settings: Settings) -> Setup:
    """The model that the person chats with, as they chat with it."""
    sampling = sampling_in_use(settings, model).as_sampling()
    return Setup(
        model_path=str(model.path()),
        fingerprint=model.fingerprint(),
        estimator_cache=str(paths.estimators),
        sampling=sampling,
        threads=settings.model.threads or None,
        neutral_replies=NeutralCache(paths, model.fingerprint(), sampling).read(),
    )


def by_estimator(results: Results, to_measure: Callable[[], Iterable[SubjectT]]) -> dict[str, tuple[SubjectT, ...]]:
    """What a request holds as its subjects; `to_measure` are those with what the results in use lack.

    Empty where one estimator has measured everything: its results are in use then, the newest ones of several. What
    lack of memory limited is not everything: there may be enough now.
    """
    found = {}
    for estimator in (*results.estimators, ""):
        results.use(estimator)
        found[estimator] = tuple(to_measure())
        limited = results.learner and results.learner.limitation
        if not limited and not any(subject.methods for subject in found[estimator]):
            return {}
    return found


async def measured(
    module: str, events: Iterable[type[Any]], paths: Paths, request: Evaluate | Follow, results: Results
) -> AsyncGenerator[Progress]:
    """Have the methods of all subjects measured, and add what is found to `results`.

    Closing the iterator ends the process at once.

    Raises: EvaluationError: no model, out of memory, a crash; what was measured is kept.
    """
    time_left = _time_left(next(iter(request.subjects.values())))
    neutral = NeutralCache(paths, request.setup.fingerprint, request.setup.sampling)
    async with aclosing(_messages(module, events, paths, request)) as messages:
        async for message in messages:
            match message:
                case Begun():
                    yield time_left.begin(message)
                case Learner():
                    results.use(message.fingerprint)
                    if results.learner != message:
                        results.add(message)
                    time_left = _time_left(request.subjects.get(message.fingerprint, request.subjects[""]))
                case Neutral():
                    neutral.write(message.replies)
                    time_left.restart()
                case TooLong():
                    if (message.key, message.item_id) not in results.too_long:
                        results.add(message)
                case EffectsFound():
                    results.add(message)
                    time_left.restart()
                case ProfileLearned():
                    results.add(message)
                case MethodResult() | FollowingResult():
                    results.add(message)
                    time_left.end(message.user_id, message.method)


def _time_left(subjects: Iterable[Subject | FollowingSubject]) -> TimeLeft:
    return TimeLeft((subject.user_id, name) for subject in subjects for name in subject.methods)


async def _messages(
    module: str, events: Iterable[type[Any]], paths: Paths, request: Evaluate | Follow
) -> AsyncGenerator[Any]:
    """What the process says until everything is measured."""
    child: Child[Any] | None = None
    try:
        child = await Child.spawn(module, events, "the evaluation", paths.evaluation_log, CHILD_ENVIRONMENT)
        await child.send(request)
        while not isinstance(message := await child.receive(), Evaluated):
            if isinstance(message, EvaluationFailed):
                raise EvaluationError(message.message)
            yield message
    except EngineError as error:
        raise EvaluationError(f"{error}; what was measured is kept") from error
    finally:
        if child:
            child.kill()
            await child.close()
