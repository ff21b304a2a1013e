"""Starts the evaluation process, keeps each result as it comes, and says how far it is."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from assistant.child import Child
from assistant.conversation.sampling import sampling_in_use
from assistant.engine.protocol import Sampling
from assistant.errors import AssistantError, EngineError
from assistant.evaluation.protocol import (
    EVENTS,
    Begun,
    Choice,
    EffectsFound,
    Evaluate,
    Evaluated,
    EvaluationFailed,
    MethodResult,
    Neutral,
    Subject,
    TooLong,
)
from assistant.evaluation.results import Results
from assistant.models.active import ActiveModel
from assistant.paths import Paths
from assistant.rebuild.neutral_cache import NeutralCache
from assistant.rebuild.runner import CHILD_ENVIRONMENT
from assistant.settings import Settings
from steering.evaluation.names import METHODS_VERSION, OTHER_PERSON, SHARED
from steering.evaluation.people import Person
from steering.evaluation.reading import person_key

MODULE = "assistant.evaluation.worker"
MessageT = TypeVar("MessageT")


class EvaluationError(AssistantError):
    """An evaluation could not be started or finished."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured, and on what; texts and questions are the program's own where there are none."""

    methods: tuple[str, ...]
    seed: int = 0
    replies: int = 4
    quick: bool = False
    texts: tuple[str, ...] = ()
    questions: tuple[Choice, ...] = ()

    def run(self, fingerprint: str, sampling: Sampling) -> str:
        """Names what results depend on beside person and method (hex, 16 characters)."""
        parts = [METHODS_VERSION, fingerprint, asdict(sampling), asdict(replace(self, methods=()))]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Progress:
    """What has begun, how many of the results to come are there, and about how many seconds are left."""

    user_id: str
    stage: str
    done: int
    total: int
    seconds_left: float | None


class TimeLeft:
    """From the mean time of what was measured in this run; a method has its own once it was measured."""

    def __init__(self, to_come: Iterable[tuple[str, str]]) -> None:
        """`to_come` are user ids and methods."""
        self._left = set(to_come)
        self.total = len(self._left)
        self._took: dict[str, list[float]] = {}
        self._since = time.monotonic()

    def begin(self, message: Begun) -> Progress:
        """Where the run is now."""
        if message.stage in ("model", "neutral replies", "effects"):
            self._since = time.monotonic()
        known = [seconds for took in self._took.values() for seconds in took]
        mean = sum(known) / len(known) if known else 0.0
        left = sum(sum(t) / len(t) if (t := self._took.get(name)) else mean for _, name in self._left)
        done = self.total - len(self._left)
        return Progress(message.user_id, message.stage, done, self.total, left if known else None)

    def end(self, user_id: str, name: str) -> None:
        """A result is there."""
        now = time.monotonic()
        self._took.setdefault(name, []).append(now - self._since)
        self._since = now
        self._left.discard((user_id, name))


async def messages_of(
    module: str, events: Iterable[type[MessageT]], paths: Paths, request: object
) -> AsyncGenerator[MessageT]:
    """What a process that measures says until everything is measured. Closing the iterator ends it at once.

    Raises: EvaluationError: it cannot be started, gives up, or dies.
    """
    child: Child[MessageT] | None = None
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


class Evaluation:
    """One run over people."""

    def __init__(self, paths: Paths, model: ActiveModel, settings: Settings) -> None:
        self._paths, self._model, self._settings = paths, model, settings

    async def run(self, people: Sequence[Person], measures: Measures, results: Results) -> AsyncGenerator[Progress]:
        """Measure what `results` lacks and add it to them. Closing the iterator ends the process at once.

        Raises: EvaluationError: no model, out of memory, a crash; what was measured is kept.
        """
        subjects = [_subject(person, measures.methods, results) for person in people]
        if not any(subject.methods for subject in subjects):
            return
        request = self._request(subjects, measures)
        neutral = NeutralCache(self._paths, request.fingerprint, request.sampling)
        time_left = TimeLeft((subject.user_id, name) for subject in subjects for name in subject.methods)
        request = replace(request, neutral_replies=neutral.read())
        async with aclosing(messages_of(MODULE, EVENTS, self._paths, request)) as messages:
            async for message in messages:
                match message:
                    case Begun():
                        yield time_left.begin(message)
                    case TooLong():
                        if (message.key, message.item_id) not in results.too_long:
                            results.add(message)
                    case Neutral():
                        neutral.write(message.replies)
                    case EffectsFound():
                        results.add(message)
                        time_left.begin(Begun(message.key, "effects"))
                    case MethodResult():
                        results.add(message)
                        time_left.end(message.user_id, message.method)

    def _request(self, subjects: Sequence[Subject], measures: Measures) -> Evaluate:
        return Evaluate(
            subjects=tuple(subjects),
            texts=measures.texts,
            questions=measures.questions,
            neutral_replies=(),
            seed=measures.seed,
            replies=measures.replies,
            quick=measures.quick,
            model_path=str(self._model.path()),
            fingerprint=self._model.fingerprint(),
            estimator_cache=str(self._paths.estimators),
            sampling=sampling_in_use(self._settings, self._model).as_sampling(),
            threads=self._settings.model.threads or None,
        )


def _subject(person: Person, methods: Sequence[str], results: Results) -> Subject:
    """The person with the methods that are still to be measured."""
    key = person_key(person)
    shared = results.methods.get((key, SHARED))
    return Subject(
        key,
        person.user_id,
        person.history,
        person.test,
        tuple(name for name in methods if (key, name) not in results.methods),
        results.effects[key].effects if key in results.effects else (),
        dict(shared.vector) if shared else {},
    )


def measured_people(people: Sequence[Person], methods: Sequence[str], results: Results) -> list[Person]:
    """People with every method; `other-person` is missing where there is nobody else."""
    wanted = set(methods) - {OTHER_PERSON}
    return [person for person in people if all((person_key(person), name) in results.methods for name in wanted)]


def rows_of(
    people: Sequence[Person], methods: Sequence[str], results: Results
) -> dict[str, Mapping[str, MethodResult]]:
    """The results by user id and method."""
    found: dict[str, Mapping[str, MethodResult]] = {}
    for person in people:
        key = person_key(person)
        found[person.user_id] = {name: results.methods[key, name] for name in methods if (key, name) in results.methods}
    return found
