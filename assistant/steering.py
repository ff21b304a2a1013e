"""Whether and how the next reply is steered: the profile in use, held against the model that is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.engine.protocol import Steer
from assistant.errors import RebuildError
from assistant.profiles import Profile, Profiles
from steering.prompts import description_system

UNSTEERED = Steer(None, 0.0)


@dataclass(frozen=True, slots=True)
class SteeringStatus:
    """Whether replies are steered now.

    Attributes:
        on: the next reply is steered (by vector, description or both).
        version: the profile version in use; None where there is none.
        strength: the strength in force, 1 = calibrated.
        note: why it is off, or what to know, in a few words ("no profile yet", "made for another model"); else "".
    """

    on: bool
    version: int | None
    strength: float
    note: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What the next reply is generated with: the engine's request, the words for the system prompt, the status."""

    steer: Steer
    description: str
    status: SteeringStatus


def plan_steering(profiles: Profiles, model_fingerprint: str, *, strength: float | None = None) -> Plan:
    """The plan under the stored state; `strength` overrides the stored one (0: unsteered)."""
    state = profiles.state()
    try:
        profile = profiles.current()
    except RebuildError:
        return Plan(
            UNSTEERED, "", SteeringStatus(False, state.version, state.strength, "kept by another version; rebuild")
        )
    chosen = state.strength if strength is None else strength
    note = _why_off(profile, state.enabled or strength is not None, chosen, model_fingerprint)
    if profile is None or note:
        return Plan(UNSTEERED, "", SteeringStatus(False, profile.version if profile else None, chosen, note))
    path = profiles.vector_path(profile)
    return Plan(
        steer=Steer(str(path), chosen) if path else UNSTEERED,
        description=description_system(profile.description) if profile.describes else "",
        status=SteeringStatus(
            True, profile.version, chosen, "a text it was learned from is gone" if profile.stale else ""
        ),
    )


def _why_off(profile: Profile | None, enabled: bool, strength: float, model_fingerprint: str) -> str:
    if profile is None:
        return "no profile yet"
    if profile.model_fingerprint != model_fingerprint:
        return "the profile is for another model"
    if not (profile.has_vector or profile.describes):
        return "nothing to gain found"
    if not enabled:
        return "switched off"
    return "strength 0" if strength == 0 else ""
