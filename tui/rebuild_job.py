"""The rebuild as the screens see it: it goes on wherever the person looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from assistant.errors import AssistantError, RebuildCancelled
from assistant.rebuild.runner import Progress, Rebuild, Rebuilt


@dataclass
class RebuildJob:
    """State of the rebuild that runs, or how the last one ended.

    Attributes:
        clock: seconds, for the time that passes between two reports.
        changed: called after every change of state.
        stages: names of the stages seen so far, in order.
        trouble: why the last one ended without a result, for the person; else "".
    """

    rebuild: Rebuild
    clock: Callable[[], float]
    changed: Callable[[], None]
    stages: list[str] = field(default_factory=list)
    progress: Progress | None = None
    result: Rebuilt | None = None
    trouble: str = ""
    cancelled: bool = False
    running: bool = False
    _reported: float = 0.0

    async def run(self) -> None:
        """Rebuild to the end, a failure or a cancel."""
        self.stages, self.progress, self.result = [], None, None
        self.trouble, self.cancelled, self.running = "", False, True
        self._reported = self.clock()
        self.changed()
        try:
            async for event in self.rebuild.run():
                self._take(event)
                self.changed()
        except RebuildCancelled as error:
            self.cancelled, self.trouble = True, str(error)
        except AssistantError as error:
            self.trouble = str(error)
        finally:
            self.running = False
        self.changed()

    def _take(self, event: Progress | Rebuilt) -> None:
        if isinstance(event, Rebuilt):
            self.result = event
            return
        if event.stage not in self.stages:
            self.stages.append(event.stage)
        self.progress = event
        self._reported = self.clock()

    def cancel(self) -> None:
        """End it; what was scored is kept."""
        if self.running:
            self.rebuild.cancel()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        known = self.progress.seconds if self.progress else 0.0
        return known + (self.clock() - self._reported if self.running else 0.0)

    @property
    def seconds_left(self) -> float | None:
        """Seconds to the end, as far as one can tell."""
        if self.progress is None or self.progress.seconds_left is None:
            return None
        return max(0.0, self.progress.seconds_left - (self.clock() - self._reported))
