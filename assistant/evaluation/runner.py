"""An evaluation of methods on people: what is still to be measured, and what was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace

from assistant.engine.protocol import Sampling
from assistant.evaluation.process import by_estimator, measured, setup_in_use
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
        subjects = by_estimator(results, lambda: to_measure(people, measures.methods, results))
        if not subjects:
            return
        request = Evaluate(
            setup=setup_in_use(self._paths, self._model, self._settings),
            subjects=subjects,
            texts=measures.texts,
            questions=measures.questions,
            seed=measures.seed,
            replies=measures.replies,
            extent=measures.extent,
        )
        async with aclosing(measured(MODULE, EVENTS, self._paths, request, results)) as progress:
            async for step in progress:
                yield step


def to_measure(people: Sequence[Person], methods: Sequence[str], results: Results) -> list[Subject]:
    """The people with the methods that are still to be measured."""
    others, found = others_of(people, results), []
    for person in people:
        key, known = person_key(person), _known(person, methods, others, results)
        measurable = methods if as_read(person, results).usable else ()
        wanted = [name for name in measurable if name != OTHER_PERSON or person.user_id in others]
        shared = results.methods.get((key, SHARED))
        found.append(
            Subject(
                key,
                person.user_id,
                person.history,
                person.test,
                tuple(name for name in wanted if name not in known),
                results.effects[key].effects if key in results.effects else (),
                dict(shared.vector) if shared else {},
            )
        )
    return found


def _known(
    person: Person, methods: Sequence[str], others: Mapping[str, str], results: Results
) -> dict[str, MethodResult]:
    """The person's results that count, by method: with another's vector only where it is that of who is the other."""
    key = person_key(person)
    found = {name: results.methods.get((key, name)) for name in methods}
    if OTHER_PERSON in methods:
        found[OTHER_PERSON] = results.with_others.get((key, others.get(person.user_id, "")))
    return {name: result for name, result in found.items() if result}


def others_of(people: Sequence[Person], results: Results) -> dict[str, str]:
    """The key of whose vector is another person's, by user id: the one before, of those who can be measured.

    The first one's is that of the last; who is alone has nobody.
    """
    usable = [person for person in people if as_read(person, results).usable]
    if len(usable) < 2:
        return {}
    return {person.user_id: person_key(usable[place - 1]) for place, person in enumerate(usable)}


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
    """The results by user id and method, of people with every method; `other-person` is missing for who is alone."""
    others, wanted = others_of(people, results), set(methods) - {OTHER_PERSON}
    found = {person.user_id: _known(person, methods, others, results) for person in people}
    return {user: own for user, own in found.items() if wanted <= own.keys()}
