"""One method on one person: calibrated on the history, made from it, measured on the test texts at equal harm.

Depth and strength of every vector are chosen by the calibration of a rebuild, on the newest quarter of the history
with a vector made from the rest. The vector is then made from the whole history and scaled to each KL of KLS on the
model's own neutral replies, so that no method looks better for being stronger. A method that is only a prompt has the
KL that it has.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import sqrt

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from steering.backbones import BACKBONES, CHOOSING, FASTEST, Backbone
from steering.backbones.base import Example
from steering.calibration.candidates import (
    START_DOSE,
    Calibration,
    Candidate,
    at_dose_one,
    at_kl,
    best,
    candidate_blocks,
    fit_candidate,
)
from steering.calibration.finish import as_control_vector
from steering.calibration.heldout import HeldOut, Nll
from steering.calibration.split import MAX_TUNE
from steering.calibration.tuning import NeutralReplies
from steering.description import template_description
from steering.effects.phrases import rank_phrases
from steering.effects.token_effects import TokenEffects
from steering.evaluation.ground import Damage, Ground
from steering.evaluation.methods import PROMPT_TOKENS, RandomDirections, learned_by
from steering.evaluation.names import (
    DESCRIPTION,
    KL,
    KLS,
    OTHER_PERSON,
    PROMPTED,
    RANDOM,
    RETRIEVAL,
    SHARED,
    STEERX,
    UNSTEERED,
    WITH_DESCRIPTION,
    Extent,
)
from steering.evaluation.people import Person
from steering.evaluation.retrieval import Retrieval
from steering.items import PreferenceItem
from steering.learning import own_replies
from steering.material import scored_text
from steering.models.chat_model import ChatModel
from steering.models.estimator import Estimator
from steering.prompts import description_system

WITHIN, QUICKLY_WITHIN = 0.02, 0.1
"""A tenth more KL is a twentieth more gain: as much as methods differ by, and no gain where there is none."""
REPLY_TOKENS = 80
Vector = Mapping[int, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured.

    Attributes:
        seed: of the random directions.
        replies: test requests that are answered in words; 0 for none.
        extent: see there.
    """

    seed: int = 0
    replies: int = 4
    extent: Extent = "full"


@dataclass(frozen=True, slots=True)
class Point:
    """Of the curve of gain against harm: the KL that was asked for and met, nats; gain, nats/token."""

    target: float
    kl: float
    gain: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A method on a person.

    Attributes:
        gain: `nll_unsteered - nll` on the test texts, nats/token; of a vector at KL 0.1.
        kl: mean KL on neutral replies, nats, of all that the method does (its prompt and its vector).
        curve: a vector at each KL of its own; the KL in it counts the description that may stand beside it.
        blocks, chosen_kl: what the calibration on the history chose; () and 0 without a vector.
        perplexity, accuracy: on neutral texts and questions, read without a prompt; None where not measured, as of
            what has one: they would be those of the vector alone.
        replies: to the first test requests, at KL 0.1.
        vector: direction [width] by block at KL 0.1, for SHARED alone.
        seconds: by stage, of what the method needs for itself. A vector that serves two methods counts for both.
        shared_seconds: by stage, of what several methods need and this one was the first to ask for.
    """

    gain: float
    kl: float
    nll_unsteered: float
    curve: tuple[Point, ...] = ()
    blocks: tuple[int, ...] = ()
    chosen_kl: float = 0.0
    perplexity: float | None = None
    accuracy: float | None = None
    replies: tuple[str, ...] = ()
    vector: Vector = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    shared_seconds: Mapping[str, float] = field(default_factory=dict)


class Study:
    """What does not depend on a person: the neutral ground of every set of blocks, computed when it is needed."""

    def __init__(
        self, estimator: Estimator, chat: ChatModel, neutral: NeutralReplies, damage: Damage, options: Options
    ) -> None:
        self.estimator, self.chat, self.neutral, self.options = estimator, chat, neutral, options
        self._damage = damage
        self._grounds: dict[tuple[int, ...], Ground] = {}

    def ground(self, blocks: tuple[int, ...]) -> Ground:
        """Neutral replies, texts and questions from the lowest of the blocks on."""
        if blocks not in self._grounds:
            neutral = self.neutral.choosing() if self.options.extent == "quick" else self.neutral.judging()
            self._grounds[blocks] = Ground(self.estimator, neutral, self._damage, blocks)
        return self._grounds[blocks]

    @cached_property
    def block_sets(self) -> list[tuple[int, ...]]:
        """The sets of blocks that are tried."""
        found = candidate_blocks(len(self.estimator.network.blocks))
        return found if self.options.extent == "full" else found[:1]

    def subject(self, person: Person, effects: Mapping[str, TokenEffects]) -> Subject:
        """A person to measure methods on; `effects` of the history by item id."""
        return Subject(self, person, effects)


class Subject:
    """A person, and what all methods on them share."""

    def __init__(self, study: Study, person: Person, effects: Mapping[str, TokenEffects]) -> None:
        self._study, self._person, self._effects = study, person, effects
        self._network, self._tokenizer = study.estimator.network, study.estimator.tokenizer
        self._held: dict[int, tuple[HeldOut, Nll]] = {}
        self._made: dict[str, tuple[Candidate, Mapping[str, float]]] = {}
        self._seconds: dict[str, float] = {}
        self._shared_seconds: dict[str, float] = {}

    def measure(self, name: str, another: Vector | None = None) -> Measured:
        """The method; `another` is SHARED's vector of somebody else, for `other-person`."""
        self._seconds, self._shared_seconds = {}, {}
        if name == UNSTEERED or name in PROMPTED:
            found = self._prompted(name)
        else:
            found = self._steered(name, another)
        return replace(found, seconds=self._seconds, shared_seconds=self._shared_seconds)

    def _prompted(self, name: str) -> Measured:
        blocks = self._study.block_sets[0]
        ground, (_, unsteered) = self._ground(blocks), self._plain(blocks)
        system = self._system(name)
        with self._stage("measure"):
            gain = kl = 0.0
            if name != UNSTEERED:
                gain, kl = self._gain({}, blocks, system), ground.kl_after(system)({})
            perplexity, accuracy = self._damage(name, ground, {})
        return Measured(
            gain,
            kl,
            unsteered.mean,
            perplexity=perplexity,
            accuracy=accuracy,
            replies=self._replies(system, None),
        )

    def _steered(self, name: str, another: Vector | None) -> Measured:
        candidate, chosen_kl = self._candidate(name, another)
        blocks = candidate.blocks
        ground, (_, unsteered) = self._ground(blocks), self._plain(blocks)
        system = self._system(name)
        with self._stage("measure"):
            points, candidate = self._curve(name, candidate, ground)
            directions = candidate.directions()
            perplexity, accuracy = self._damage(name, ground, directions)
        compared = next(point for point in points if point.target == KL)
        vector = {block: d.float().cpu().numpy() for block, d in directions.items()} if name == SHARED else {}
        return Measured(
            compared.gain,
            compared.kl,
            unsteered.mean,
            points,
            blocks,
            chosen_kl,
            perplexity,
            accuracy,
            self._replies(system, candidate),
            vector,
        )

    def _candidate(self, name: str, another: Vector | None) -> tuple[Candidate, float]:
        """The vector of the whole history in the blocks that the calibration chose, and the KL that it chose."""
        if name == OTHER_PERSON:
            assert another, "somebody else's vector is made before"
            device = self._network.device
            directions = {block: torch.tensor(d, device=device) for block, d in another.items()}
            norms = self._ground(tuple(sorted(directions))).norms
            return Candidate(name, at_dose_one(directions, norms), START_DOSE, float("nan"), float("nan")), KL
        name = SHARED if name == WITH_DESCRIPTION else name
        backbone = self._backbone(name)
        if name not in self._made:
            with self._stage("choose"):
                blocks, kl = self._chosen(name, backbone)
            with self._stage("fit"):
                learned = self._learned(name, self._person.history)
                norms = self._ground(blocks).norms
                made = replace(fit_candidate(self._network, name, backbone, learned, blocks, norms), kl=kl)
            self._made[name] = made, dict(self._seconds)
        found, seconds = self._made[name]
        self._seconds |= seconds
        return found.at_dose(found.dose), found.kl

    def _chosen(self, name: str, backbone: Backbone) -> tuple[tuple[int, ...], float]:
        if self._study.options.extent != "full":
            return self._study.block_sets[0], KL
        method = name.removeprefix(STEERX)
        fitted = self._learned(name, self._parts[0])
        with self._stage("tuning texts", shared=True):
            for blocks in self._study.block_sets:
                self._calibration.neutral_kl(blocks)
        candidates = self._calibration.candidates({name: CHOOSING.get(method, backbone)}, fitted)
        chosen = self._calibration.with_best_dose(best(list(candidates)))
        return chosen.blocks, chosen.kl

    def _backbone(self, name: str) -> Backbone:
        if name == RANDOM:
            return RandomDirections(f"{self._study.options.seed} {self._person.user_id}")
        return (FASTEST if self._study.options.extent == "quick" else BACKBONES)[name.removeprefix(STEERX)]

    @cached_property
    def _parts(self) -> tuple[tuple[PreferenceItem, ...], tuple[PreferenceItem, ...]]:
        """What makes the vectors that are compared, and the newest quarter, which they are compared on."""
        history = self._person.history
        newest = min(MAX_TUNE, max(1, round(len(history) / 4)))
        return history[:-newest], history[-newest:]

    @cached_property
    def _calibration(self) -> Calibration:
        tune = [scored_text(self._tokenizer, item) for item in self._parts[1]]
        return Calibration(self._network, tune, self._study.neutral.choosing().scored(self._tokenizer))

    def _learned(self, name: str, items: Sequence[PreferenceItem]) -> list[Example]:
        backbone = self._backbone(name)
        negatives = self._negatives if backbone.needs_negatives else {}
        # What chooses must not know the texts that it is chosen on.
        known = self._description if len(items) == len(self._person.history) else self._described(items)
        return learned_by(name, self._tokenizer, items, self._effects, negatives, known)

    @cached_property
    def _negatives(self) -> dict[str, str]:
        with self._stage("negatives", shared=True):
            return own_replies(self._study.chat, self._tokenizer, self._person.history, lambda _: None)

    @cached_property
    def _description(self) -> str:
        with self._stage("description", shared=True):
            return self._described(self._person.history)

    def _described(self, items: Sequence[PreferenceItem]) -> str:
        return template_description(items, rank_phrases(items, {item.id: self._effects[item.id] for item in items}))

    @cached_property
    def _retrieval(self) -> Retrieval:
        return Retrieval(self._person.history, self._tokenizer, PROMPT_TOKENS)

    def _system(self, name: str) -> Callable[[str], str]:
        if name == RETRIEVAL:
            return self._retrieval.system
        said = description_system(self._description) if name in (DESCRIPTION, WITH_DESCRIPTION) else ""
        return lambda _: said

    def _plain(self, blocks: Sequence[int]) -> tuple[HeldOut, Nll]:
        """The test texts from the lowest of the blocks on, and their NLL without anything."""
        block = min(blocks)
        if block not in self._held:
            with self._stage("test texts", shared=True):
                texts = [scored_text(self._tokenizer, item) for item in self._person.test]
                held = HeldOut(self._network, texts, block)
                self._held[block] = held, held.nll()
        return self._held[block]

    def _gain(self, directions: Mapping[int, Tensor], blocks: Sequence[int], system: Callable[[str], str]) -> float:
        held, unsteered = self._plain(blocks)
        systems = [system(item.context) for item in self._person.test]
        if any(systems):
            pairs = zip(self._person.test, systems, strict=True)
            texts = [scored_text(self._tokenizer, item, said) for item, said in pairs]
            held = HeldOut(self._network, texts, min(blocks))
        return held.nll(directions).gain_over(unsteered)

    def _curve(self, name: str, candidate: Candidate, ground: Ground) -> tuple[tuple[Point, ...], Candidate]:
        """Gain at each KL, and the vector at KL."""
        system = self._system(name)
        prompted = ground.kl_after(system) if name == WITH_DESCRIPTION else None
        points, at_compared, reached = [], candidate, KL
        within = QUICKLY_WITHIN if self._study.options.extent == "quick" else WITHIN
        for target in KLS if self._study.options.extent == "full" else (KL,):
            # Harm grows with the square of the dose: the search begins where the last one ended.
            near = candidate.at_dose(candidate.dose * sqrt(target / reached))
            candidate, reached = at_kl(near, ground.kl, target, within), target
            directions = candidate.directions()
            kl = prompted(directions) if prompted else candidate.kl
            points.append(Point(target, kl, self._gain(directions, candidate.blocks, system)))
            at_compared = candidate if target == KL else at_compared
        return tuple(points), at_compared

    def _damage(self, name: str, ground: Ground, directions: Mapping[int, Tensor]) -> tuple[float | None, float | None]:
        if self._study.options.extent != "full" or name in (*PROMPTED, WITH_DESCRIPTION):
            return None, None
        with self._stage("neutral ground", shared=True):
            damage = ground.damage
        return damage(directions)

    def _replies(self, system: Callable[[str], str], candidate: Candidate | None) -> tuple[str, ...]:
        chat, requests = self._study.chat, [item.context for item in self._person.test[: self._study.options.replies]]
        vector = as_control_vector(candidate, chat.architecture) if candidate else None
        with self._stage("replies"):
            return tuple(chat.replies(requests, system=system, vector=vector, max_tokens=REPLY_TOKENS))

    def _ground(self, blocks: tuple[int, ...]) -> Ground:
        with self._stage("neutral ground", shared=True):
            return self._study.ground(blocks)

    @contextmanager
    def _stage(self, name: str, *, shared: bool = False) -> Iterator[None]:
        """Count the seconds of a stage, without those of shared stages within it."""
        started, apart = time.monotonic(), sum(self._shared_seconds.values())
        yield
        within = sum(self._shared_seconds.values()) - apart
        seconds = self._shared_seconds if shared else self._seconds
        seconds[name] = seconds.get(name, 0.0) + time.monotonic() - started - within
