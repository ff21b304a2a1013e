"""Whether and how the next reply is steered: the profile in use and the imported vectors, held against the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.engine.protocol import Steer
from assistant.errors import RebuildError
from assistant.profile.combination import Part
from assistant.profile.profiles import Profiles
from assistant.profile.vectors import ImportedVector, Vectors
from assistant.profile.version import Profile
from assistant.records import VectorUse
from steering.prompts import description_system

UNSTEERED = Steer(None, 0.0)
NO_PROFILE, NO_VERSION = "no profile yet", "no version is in use"


@dataclass(frozen=True, slots=True)
class SteeringStatus:
    """Whether replies are steered now.

    Attributes:
        on: the next reply is steered (by vector, description, imported vectors or several of these).
        version: the profile version in use; None where there is none, or where imported vectors alone steer.
        strength: the strength of the profile, 1 = calibrated.
        note: why it is off, or what to know, in a few words ("no profile yet", "profile: switched off"); else "".
        imported: the imported vectors that steer.
    """

    on: bool
    version: int | None
    strength: float
    note: str
    imported: tuple[VectorUse, ...] = ()

    @property
    def words(self) -> str:
        """What steers: "v3 × 1.0 + formal × 0.5"; empty where nothing does."""
        return steering_words(self.version, self.strength, self.imported) if self.on else ""


NOT_STEERED = SteeringStatus(False, None, 0.0, "as the model is")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the next reply is generated with: the engine's request, the words for the system prompt, the status."""

    steer: Steer
    description: str
    status: SteeringStatus


@dataclass(frozen=True, slots=True)
class _Decision:
    profile: Profile | None
    imported: tuple[ImportedVector, ...]
    status: SteeringStatus


def steering_words(version: int | None, strength: float | None, imported: Sequence[VectorUse]) -> str:
    """What steers a reply: "v3 × 1.0 + formal × 0.5"; empty where nothing does."""
    learned = [] if version is None else [f"v{version} × {strength_number(strength or 0.0)}"]
    return " + ".join([*learned, *(f"{use.name} × {strength_number(use.strength)}" for use in imported)])


def steering_status(profiles: Profiles, vectors: Vectors, model_fingerprint: str) -> SteeringStatus:
    """Whether the next reply is steered under the stored state; writes no file."""
    return _decide(profiles, vectors, model_fingerprint, None).status


def plan_steering(
    profiles: Profiles, vectors: Vectors, model_fingerprint: str, *, strength: float | None = None
) -> Plan:
    """The plan under the stored state; `strength` overrides the profile's (0: unsteered, imported vectors included).

    Raises: AssistantError: the vectors cannot be combined, or their file cannot be written.
    """
    decision = _decide(profiles, vectors, model_fingerprint, strength)
    profile = decision.profile
    return Plan(
        steer=_steer(profiles, vectors, decision),
        description=description_system(profile.description) if profile and profile.describes else "",
        status=decision.status,
    )


def _steer(profiles: Profiles, vectors: Vectors, decision: _Decision) -> Steer:
    profile, strength = decision.profile, decision.status.strength
    positions = profile.outcome.positions if profile else "all"
    if decision.imported:
        learned = profiles.vector(profile) if profile else None
        part = Part(learned, strength) if learned is not None else None
        return Steer(str(vectors.combined(part, decision.imported)), 1.0, positions)
    path = profiles.vector_path(profile) if profile else None
    return Steer(str(path), strength, positions) if path else UNSTEERED


def _decide(profiles: Profiles, vectors: Vectors, model_fingerprint: str, strength: float | None) -> _Decision:
    state = profiles.state()
    chosen = state.strength if strength is None else strength
    version = state.version
    try:
        profile = profiles.current()
        why_off = _why_off(profile, state.enabled or strength is not None, chosen, model_fingerprint)
        if profile is None and not profiles.known:
            why_off = NO_PROFILE
    except RebuildError:
        profile, why_off = None, "kept by another version; rebuild"
    imported = () if strength == 0 else tuple(one for one in vectors.list() if not one.why_off)
    steering = None if why_off else profile
    status = SteeringStatus(
        on=steering is not None or bool(imported),
        version=None if imported and steering is None else version,
        strength=chosen,
        note=_note(profile, why_off, imported),
        imported=tuple(VectorUse(one.name, one.strength) for one in imported),
    )
    return _Decision(steering, imported, status)


def _note(profile: Profile | None, why_off: str, imported: Sequence[ImportedVector]) -> str:
    if not why_off:
        return "a text it was learned from is gone" if profile and profile.stale else ""
    if not imported:
        return why_off
    return "" if why_off in (NO_PROFILE, NO_VERSION) else f"profile: {why_off.removeprefix('the profile is ')}"


def _why_off(profile: Profile | None, enabled: bool, strength: float, model_fingerprint: str) -> str:
    if profile is None:
        return NO_VERSION
    if profile.model_fingerprint != model_fingerprint:
        return "the profile is for another model"
    if not profile.steers:
        return "its description is empty" if profile.emptied else "nothing to gain found"
    if not enabled:
        return "switched off"
    return "strength 0" if strength == 0 else ""


def strength_number(strength: float) -> str:
    """One digit after the point, two where they matter."""
    return f"{strength:.1f}" if round(strength, 1) == strength else f"{strength:.2f}"
