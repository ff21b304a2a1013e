"""From results of people to the outcome: all that the table and the plot show, and what they are made from."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import fmean
from typing import Any

from assistant.evaluation.protocol import EffectsFound, Learner, MethodResult
from steering.evaluation.lines import LeftOutLine
from steering.evaluation.names import KL, METHODS_VERSION
from steering.evaluation.people import Person
from steering.evaluation.summary import TEXT_FIGURES, mean_of, of_method, pairs_of
from steering.evaluation.texts import Attribution, form, overlap

Rows = Mapping[str, Mapping[str, MethodResult]]
"""By user id and method."""


def outcome(
    rows: Rows,
    people: Sequence[Person],
    left_out: Sequence[LeftOutLine],
    effects: Sequence[EffectsFound],
    learner: Learner | None,
    *,
    model: str,
    fingerprint: str,
    seed: int,
) -> dict[str, Any]:
    """What `--json` writes. `people` are those of the rows; figures that nobody has are null."""
    names = list(dict.fromkeys(name for own in rows.values() for name in own))
    by_user = {person.user_id: person for person in people}
    attribution = None
    if len(people) > 1 and any(result.replies for own in rows.values() for result in own.values()):
        attribution = Attribution({person.user_id: [item.text for item in person.history] for person in people})
    methods = {}
    for name in names:
        own = {user: found[name] for user, found in rows.items() if name in found}
        methods[name] = of_method([_person(by_user[user], result, attribution) for user, result in own.items()])
    return {
        **circumstances(len(people), left_out, learner, model=model, fingerprint=fingerprint, seed=seed),
        "methods_version": METHODS_VERSION,
        "effects": {
            "seconds": mean_of([found.seconds for found in effects]),
            "peak_mib": mean_of([found.peak_mib for found in effects]),
        },
        "shared": _shared(rows),
        "methods": methods,
        "pairs": pairs_of(methods),
    }


def circumstances(
    people: int,
    left_out: Sequence[LeftOutLine],
    learner: Learner | None,
    *,
    model: str,
    fingerprint: str,
    seed: int,
) -> dict[str, Any]:
    """What every outcome begins with: who was measured, and how; `learner` is None where its row was damaged."""
    return {
        "people": people,
        "left_out": len(left_out),
        "left_out_lines": [asdict(line) for line in left_out],
        "model": model,
        "fingerprint": fingerprint,
        "estimator": learner.fingerprint if learner else None,
        "limitation": learner.limitation if learner else "",
        "seed": seed,
        "kl": KL,
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
    }


def _shared(rows: Rows) -> dict[str, Any]:
    """Seconds of what several methods need, by person and stage: they are in those of no method."""
    people: dict[str, Counter[str]] = {user: Counter() for user in rows}
    for user, own in rows.items():
        for result in own.values():
            people[user].update(result.shared_seconds)
    stages = list(dict.fromkeys(stage for seconds in people.values() for stage in seconds))
    return {
        "seconds_by_stage": {stage: fmean(seconds[stage] for seconds in people.values()) for stage in stages},
        "by_person": [{"user_id": user, "seconds": dict(seconds)} for user, seconds in people.items()],
    }


def _person(person: Person, result: MethodResult, attribution: Attribution | None) -> dict[str, Any]:
    """A method on one person; the generated texts themselves stay in the results file."""
    own = {
        "user_id": person.user_id,
        "gain": result.gain,
        "kl_neutral": result.kl,
        "nll_unsteered": result.nll_unsteered,
        "curve": [asdict(point) for point in result.curve],
        "blocks": result.blocks,
        "chosen_kl": result.chosen_kl,
        "perplexity": result.perplexity,
        "accuracy": result.accuracy,
        "seconds": result.seconds,
        "peak_mib": result.peak_mib,
        "other": result.other,
        **dict.fromkeys(TEXT_FIGURES),
    }
    if result.replies:
        texts = [item.text for item in person.test[: len(result.replies)]]
        own |= asdict(overlap(result.replies, texts)) | asdict(form(result.replies))
    if result.replies and attribution:
        nearer, nearest = attribution.nearer(person.user_id, result.replies)
        own |= {"attribution": float(nearer), "attribution_nearest": float(nearest)}
    return own
