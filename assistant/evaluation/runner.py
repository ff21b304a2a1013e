"""An evaluation of methods on people: what is still to be measured, and what was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace

from assistant.engine.protocol import Sampling
from assistant.evaluation.process import measured, setup_in_use
from assistant.evaluation.protocol import EVENTS, Choice, Evaluate, MethodResult, Subject
from assistant.evaluation.results import Results
from assistant.evaluation.time_left import Progress
from assistant.models.active import ActiveModel
from assistant.paths import Paths
from assistant.settings import Settings
from steering.evaluation.names import METHODS_VERSION, OTHER_PERSON, SHARED, Extent
from steering.evaluation.people import Person
from steering.evaluation.reading import person_key

MODULE = "assistant.evaluation.worker"


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured, and on what; texts and questions are the program's own where there are none."""

    methods: tuple[str, ...]
    seed: int = 0
    replies: int = 4
    extent: Extent = "full"
    texts: tuple[str, ...] = ()
    questions: tuple[Choice, ...] = ()

    def run(self, fingerprint: str, sampling: Sampling) -> str:
        """Names what results depend on beside person and method (hex, 16 characters)."""
        parts = [METHODS_VERSION, fingerprint, asdict(sampling), asdict(replace(self, methods=()))]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


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
        request = Evaluate(
            setup=setup_in_use(self._paths, self._model, self._settings),
            subjects=tuple(subjects),
            texts=measures.texts,
            questions=measures.questions,
            seed=measures.seed,
            replies=measures.replies,
            extent=measures.extent,
        )
        async with aclosing(measured(MODULE, EVENTS, self._paths, request, results)) as progress:
            async for step in progress:
                yield step


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


def as_read(person: Person, results: Results) -> Person:
    """The person without the items that were too long to be read: what the results are of."""
    key = person_key(person)
    history, test = (
        tuple(item for item in items if (key, item.id) not in results.too_long)
        for items in (person.history, person.test)
    )
    return replace(person, history=history, test=test)


def rows_of(
    people: Sequence[Person], methods: Sequence[str], results: Results
) -> dict[str, Mapping[str, MethodResult]]:
    """The results by user id and method."""
    found: dict[str, Mapping[str, MethodResult]] = {}
    for person in people:
        key = person_key(person)
        found[person.user_id] = {name: results.methods[key, name] for name in methods if (key, name) in results.methods}
    return found
