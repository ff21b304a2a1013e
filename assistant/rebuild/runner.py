"""Starts the rebuild process, keeps what it scores, and turns its end into a new profile version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from assistant.profiles import Profile


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a rebuild is: stage `stage_number` of `stages` (1-based), `done` of `total` units in it.

    `seconds_left` is an estimate for the whole rebuild; None while there is nothing to estimate from.
    """

    stage: str
    stage_number: int
    stages: int
    done: int
    total: int
    seconds: float
    seconds_left: float | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The new version, or the present one where nothing had changed since (`unchanged`)."""

    profile: Profile
    unchanged: bool


RebuildEvent = Progress | Rebuilt


class Rebuild:
    """At most one rebuild at a time."""

    @property
    def running(self) -> bool:
        """Whether a rebuild is under way."""
        raise NotImplementedError

    def run(self, *, force: bool = False) -> AsyncIterator[RebuildEvent]:
        """Rebuild the profile from the items that are used; `force` also where nothing has changed.

        Closing the iterator or calling `cancel` ends the child at once; effects scored so far are kept.

        Raises: RebuildError: too few items, no model, out of memory, a crash; nothing that was there is changed.
        """
        raise NotImplementedError

    def cancel(self) -> None:
        """End the rebuild that is running; `run` then raises RebuildCancelled."""
        raise NotImplementedError
