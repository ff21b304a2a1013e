"""Versions of the steering profile: use, roll back, strength, description, explanation, export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assistant.records import Outcome, Phrase, Span, SteeringState


@dataclass(frozen=True, slots=True)
class Profile:
    """One version as shown: `description` is the person's edit where there is one."""

    version: int
    created_at: datetime
    model_fingerprint: str
    description: str
    description_edited: bool
    outcome: Outcome
    has_vector: bool
    stale: bool
    in_use: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an item counts: its text, the effect of every scored token, its phrases; or why it was left out."""

    item_id: str
    context: str
    text: str
    spans: tuple[Span, ...]
    phrases: tuple[Phrase, ...]
    left_out: str


class Profiles:
    """Profile versions of one home."""

    def current(self) -> Profile | None:
        """The version in use."""
        raise NotImplementedError

    def all(self) -> list[Profile]:
        """All versions, newest first."""
        raise NotImplementedError

    def state(self) -> SteeringState:
        """Version in use, on or off, strength."""
        raise NotImplementedError

    def use(self, version: int) -> Profile:
        """Put a version to use from the next message on (roll back or forward) and switch steering on."""
        raise NotImplementedError

    def set_enabled(self, enabled: bool) -> None:
        """Switch steering on or off without losing the version or the strength."""
        raise NotImplementedError

    def set_strength(self, strength: float) -> None:
        """Set the strength, 0 to 2 (1 = calibrated)."""
        raise NotImplementedError

    def set_description(self, text: str) -> Profile:
        """Replace the description of the version in use by the person's own words."""
        raise NotImplementedError

    def explain(self, item_id: str) -> Explanation:
        """Effects of one item under the version in use.

        Raises: AssistantError: no such item, or no profile yet.
        """
        raise NotImplementedError

    def export(self, path: Path) -> None:
        """Write the vector of the version in use as a llama.cpp control vector (GGUF), dose and strength applied."""
        raise NotImplementedError
