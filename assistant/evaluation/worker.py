"""The evaluation process: one request on stdin, results on stdout as they come, one JSON object a line.

It holds torch and transformers, and ends at once when stdin closes, as the rebuild process does.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import AssistantError
from assistant.evaluation.loading import Emit, neutral_replies_of, open_models
from assistant.evaluation.protocol import (
    Begun,
    CurvePoint,
    EffectsFound,
    Evaluate,
    Evaluated,
    EvaluationFailed,
    Learner,
    MethodResult,
    Subject,
    TooLong,
)
from assistant.one_task import learn

if TYPE_CHECKING:
    from assistant.rebuild.llama_chat import LlamaChat
    from steering.calibration.tuning import NeutralReplies
    from steering.effects.token_effects import TokenEffects
    from steering.evaluation.people import Person
    from steering.evaluation.study import Measured, Study, Vector
    from steering.models.estimator import Estimator


def main() -> None:
    """Carry out the one request."""
    learn((Evaluate,), _evaluate, EvaluationFailed)


def _evaluate(request: Evaluate, emit: Emit) -> Evaluated:
    from steering.evaluation.names import OTHER_PERSON

    chat, estimator = open_models(request.setup, emit)
    known = request.subjects.get(estimator.fingerprint, request.subjects[""])
    _refuse_gradients(estimator, known)
    emit(Learner(estimator.fingerprint, estimator.limitation))
    neutral = neutral_replies_of(request.setup, chat, emit, few=request.extent == "quick")
    run = _Run(_study(request, estimator, chat, neutral), emit)
    subjects = [_readable(subject, estimator, chat, emit) for subject in known]
    subjects = [subject for subject in subjects if _person(subject).usable]
    for place, subject in enumerate(subjects):
        run.measure(subject, tuple(name for name in subject.methods if name != OTHER_PERSON))
        if OTHER_PERSON in subject.methods and place > 0:
            run.measure(subject, (OTHER_PERSON,), subjects[place - 1])
    # The last one's vector is there only now.
    if len(subjects) > 1 and OTHER_PERSON in subjects[0].methods:
        run.measure(subjects[0], (OTHER_PERSON,), subjects[-1])
    return Evaluated()


def _refuse_gradients(estimator: Estimator, subjects: Iterable[Subject]) -> None:
    from steering.evaluation.methods import needing_gradients

    names = needing_gradients(dict.fromkeys(name for subject in subjects for name in subject.methods))
    if names and not estimator.network.gives_gradients:
        needed = f"{', '.join(names)}: made with gradients, which llama.cpp does not give"
        raise AssistantError(f"{needed} ({estimator.limitation}); or name other methods with --methods")


class _Run:
    """Measures one person after the other and hands over each result as soon as it is there."""

    def __init__(self, study: Study, emit: Emit) -> None:
        self._study, self._emit = study, emit
        self._vectors: dict[str, Vector] = {}

    def measure(self, subject: Subject, methods: tuple[str, ...], other: Subject | None = None) -> None:
        """Measure the methods; `other` is whose vector is another person's."""
        if not methods:
            return
        vector = self._vector(other) if other else None
        # Another person's vector needs no effects: nothing is learned from this one's texts.
        effects = {} if other else self._effects(subject)
        measured = self._study.subject(_person(subject), effects)
        for name in methods:
            self._emit(Begun(subject.user_id, name))
            restart_peak()
            found = measured.measure(name, vector)
            if found.vector:
                self._vectors[subject.key] = found.vector
            self._emit(_result(subject, name, found, other))

    def _vector(self, subject: Subject) -> Vector:
        import numpy as np

        kept = {block: np.array(d, np.float32) for block, d in subject.vector.items()}
        return self._vectors.get(subject.key) or kept

    def _effects(self, subject: Subject) -> Mapping[str, TokenEffects]:
        from assistant.rebuild.wire import as_effect, as_token_effects
        from steering.effects.history import EffectKey
        from steering.learning import score_history

        if {item.id for item in subject.history} == {effect.item_id for effect in subject.effects}:
            return {effect.item_id: as_token_effects(effect) for effect in subject.effects}
        self._emit(Begun(subject.user_id, "effects"))
        restart_peak()
        started = time.monotonic()
        keys: dict[str, EffectKey] = {}

        def keep(scored: Mapping[EffectKey, tuple[str, TokenEffects]]) -> None:
            keys.update({item_id: key for key, (item_id, _) in scored.items()})

        found = score_history(self._study.estimator, subject.history, {}, keep, lambda _: None).effects
        effects = tuple(as_effect(keys[item_id], item_id, one) for item_id, one in found.items())
        self._emit(EffectsFound(subject.key, effects, time.monotonic() - started, peak_mib()))
        return found


def _study(request: Evaluate, estimator: Estimator, chat: LlamaChat, neutral: NeutralReplies) -> Study:
    from steering.evaluation.ground import Damage
    from steering.evaluation.study import Options, Study
    from steering.neutral import Question, load_neutral_set

    own = load_neutral_set()
    questions = tuple(Question(one.question, one.choices, one.answer) for one in request.questions)
    damage = Damage(request.texts or own.texts, questions or own.questions)
    return Study(estimator, chat, neutral, damage, Options(request.seed, request.replies, request.extent))


def _readable(subject: Subject, estimator: Estimator, chat: LlamaChat, emit: Emit) -> Subject:
    """The person without the items whose prompt the model cannot read at once."""
    from steering.prompts import render_prompt, well_formed

    limit = min(estimator.network.context or chat.window, chat.window)
    kept = []
    for items in (subject.history, subject.test):
        lengths = {item.id: len(render_prompt(estimator.tokenizer, well_formed(item.context))) for item in items}
        for item in items:
            if lengths[item.id] >= limit:
                emit(TooLong(subject.key, subject.user_id, item.id, lengths[item.id], limit))
        kept.append(tuple(item for item in items if lengths[item.id] < limit))
    return replace(subject, history=kept[0], test=kept[1])


def _person(subject: Subject) -> Person:
    from steering.evaluation.people import Person

    return Person(subject.user_id, subject.history, subject.test)


def _result(subject: Subject, name: str, found: Measured, other: Subject | None) -> MethodResult:
    return MethodResult(
        key=subject.key,
        user_id=subject.user_id,
        method=name,
        gain=found.gain,
        kl=found.kl,
        nll_unsteered=found.nll_unsteered,
        curve=tuple(CurvePoint(**asdict(point)) for point in found.curve),
        blocks=found.blocks,
        chosen_kl=found.chosen_kl,
        perplexity=found.perplexity,
        accuracy=found.accuracy,
        replies=found.replies,
        vector={block: tuple(direction.tolist()) for block, direction in found.vector.items()},
        seconds=dict(found.seconds),
        shared_seconds=dict(found.shared_seconds),
        peak_mib=peak_mib(),
        other=other.user_id if other else "",
        other_key=other.key if other else "",
    )


def restart_peak() -> None:
    """Let the kernel count the most memory anew, where it can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_mib() -> float:
    """The most memory since `restart_peak`, or since the start where that cannot be counted anew; MiB."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    except (OSError, StopIteration):
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used / 2**20 if sys.platform == "darwin" else used / 2**10


if __name__ == "__main__":
    main()
