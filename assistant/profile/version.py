"""One version of the profile, and one item under it, as they are shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from pydantic import TypeAdapter, ValidationError

from assistant.errors import RebuildError
from assistant.records import Outcome, Passage, Phrase, Span, SteeringState
from storage.records import EffectRecord, ProfileRecord

IMPORTED = "imported"
"""Stands for the hash of what went into a version where that is not known; no rebuild finds the same."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One version as shown: `description` is the person's edit where there is one.

    Attributes:
        imported: it came from a file, and what it was learned from is not here.
        other_model: it was made for a model that is not the one at hand, which it cannot steer.
    """

    version: int
    created_at: datetime
    model_fingerprint: str
    description: str
    description_edited: bool
    outcome: Outcome
    has_vector: bool
    stale: bool
    in_use: bool
    imported: bool = False
    other_model: bool = False

    @property
    def describes(self) -> bool:
        """Whether there is a description that is put into prompts."""
        return self._may_describe and bool(self.description.strip())

    @property
    def steers(self) -> bool:
        """Whether it does anything to a reply."""
        return self.has_vector or self.describes

    @property
    def emptied(self) -> bool:
        """Whether it has nothing left to steer with: its description was cleared, or forgotten line by line."""
        return self._may_describe and not self.steers

    @property
    def _may_describe(self) -> bool:
        """The description earned its place, or is the person's own words."""
        return self.description_edited or self.outcome.form in ("description", "both")


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an item counts; or why it was left out.

    Attributes:
        spans: the effect of every scored token.
        phrases: those of the profile that come from this item.
        compared_with: the earlier items that stood for the person when it was scored.
        unscored: characters at the end of a long text that were not scored.
        left_out: why it was not learned from, or why nothing is known of it; empty where neither.
        passages: what was in it that is not the person's own; `text` is without it.
    """

    item_id: str
    context: str
    text: str
    spans: tuple[Span, ...]
    phrases: tuple[Phrase, ...]
    compared_with: tuple[str, ...]
    unscored: int
    left_out: str
    passages: tuple[Passage, ...] = ()


@cache
def _outcomes() -> TypeAdapter[Outcome]:
    return TypeAdapter(Outcome)


def version_of(record: ProfileRecord, state: SteeringState, fingerprint: str) -> Profile:
    """A stored version as shown; `fingerprint` is of the model at hand, empty where there is none.

    Raises: RebuildError: another version of the program kept it, with another outcome.
    """
    try:
        outcome = _outcomes().validate_python(record.outcome)
    except ValidationError as error:
        raise RebuildError(
            f"profile version {record.version} was kept by another program version; rebuild it"
        ) from error
    return Profile(
        version=record.version,
        created_at=record.created_at,
        model_fingerprint=record.model_fingerprint,
        description=record.description,
        description_edited=record.description_edited,
        outcome=outcome,
        has_vector=record.vector is not None,
        stale=record.stale,
        in_use=record.version == state.version,
        imported=record.inputs_hash == IMPORTED,
        other_model=bool(fingerprint) and record.model_fingerprint != fingerprint,
    )


def spans_of(record: EffectRecord) -> tuple[Span, ...]:
    """Every scored token of an item with its effects."""
    tokens = zip(record.starts, record.ends, record.logp_with, record.logp_without, strict=True)
    return tuple(Span(start, end, a - b, math.exp(a) - math.exp(b)) for start, end, a, b in tokens)
