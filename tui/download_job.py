"""The download as the screens see it: it goes on wherever the person looks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import AssistantError, DownloadStopped
from assistant.models.collection import Models
from assistant.models.hub.download import Download, Downloaded, Downloading


@dataclass
class DownloadJob:
    """State of the one download that runs, or how the last one ended.

    Attributes:
        changed: called after every change of state.
        wanted: what was asked for: a name of the catalogue or REPOSITORY[:FILE].
        progress: None before the hub has answered.
        path: where it is, once it is there.
        trouble: why it ended without a model, for the person; else "".
        paused: what came is kept, `run` with the same name goes on.
    """

    models: Models
    changed: Callable[[], None]
    wanted: str = ""
    progress: Downloading | None = None
    path: Path | None = None
    trouble: str = ""
    paused: bool = False
    running: bool = False
    _download: Download | None = None

    async def run(self, wanted: str) -> None:
        """Download to the end, a failure, a pause or a cancel; one at a time."""
        self.wanted, self.progress, self.path = wanted, None, None
        self.trouble, self.paused, self.running = "", False, True
        self.changed()
        try:
            self._download = self.models.download(wanted)
            async with aclosing(self._download.run()) as events:
                async for event in events:
                    self._take(event)
                    self.changed()
        except DownloadStopped:
            pass  # the person asked for it
        except AssistantError as error:
            self.trouble = str(error)
        finally:
            self.running, self._download = False, None
        self.changed()

    def _take(self, event: Downloading | Downloaded) -> None:
        if isinstance(event, Downloaded):
            self.path = event.path
        else:
            self.progress = event

    def pause(self) -> None:
        """Stop at once and keep what came."""
        if self._download is not None:
            self.paused = True
            self._download.pause()

    def cancel(self) -> None:
        """Stop at once and delete what came, also where it is paused.

        Raises: AssistantError: what came cannot be deleted.
        """
        wanted = self.wanted
        self.paused = False
        if self._download is not None:
            self._download.cancel()
        else:
            for left in self.models.unfinished():
                if left.wanted == wanted:
                    self.models.give_up(left)
            self.forget()

    def forget(self) -> None:
        """Say nothing more of a download that has ended."""
        if not self.running:
            self.paused, self.trouble, self.path = False, "", None
            self.changed()

    @property
    def status(self) -> str:
        """A few words for the line under the prompt; "" where none runs."""
        if not self.running:
            return ""
        if self.progress is None or not self.progress.size:
            return "downloading"
        return f"downloading {self.progress.done / self.progress.size:.0%}"
