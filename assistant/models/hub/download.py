"""A download as the app sees it: started, watched, paused or given up; the network is in a child process."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assistant.child import Child
from assistant.errors import DownloadError, DownloadStopped, EngineError
from assistant.models.catalogue import load_catalogue
from assistant.models.hub.protocol import Arrived, Fetch, Fetched, FetchFailed, FetchMessage, Found, Verifying, Waiting
from assistant.models.notes import wanted_notes
from assistant.models.own_folder import give_up_download, unfinished_downloads
from assistant.paths import Paths

MODULE = "assistant.models.hub.worker"
EVENTS: tuple[type[FetchMessage], ...] = (Found, Arrived, Verifying, Waiting, Fetched, FetchFailed)
ENVIRONMENT = {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
"""Only this child may use the network, and only because a download was asked for."""
_NAMED = re.compile(r"(?P<repository>\w[\w.-]*/\w[\w.-]*)(:(?P<file>[^:]+\.gguf))?", re.IGNORECASE)
_SPEED_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Downloading:
    """How far it is.

    Attributes:
        name: of the file that will be loaded.
        done: bytes here, of `size`.
        speed: bytes a second, over the last seconds; 0 while nothing moves.
        seconds_left: None where nobody can tell.
        verifying: all is here, checksum and header are being checked.
        waiting: the hub is slow, refuses for a while or was lost; it goes on by itself.
    """

    name: str
    done: int
    size: int
    speed: float
    seconds_left: float | None
    verifying: bool = False
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Downloaded:
    """The model is in the models folder; `already_there`: it was, and nothing was downloaded."""

    path: Path
    already_there: bool


DownloadEvent = Downloading | Downloaded


class Download:
    """One download. It is paused by `pause` or by closing the iterator; a new one goes on where it stopped."""

    def __init__(self, wanted: str, paths: Paths) -> None:
        """`wanted` is a name of the catalogue, REPOSITORY or REPOSITORY:FILE.

        Raises: DownloadError: it is none of these.
        """
        self._fetch = parse_wanted(wanted, paths)
        self._wanted = wanted
        self._paths = paths
        self._child: Child[FetchMessage] | None = None
        self._parts: tuple[Path, ...] = ()
        self._stopped = ""

    async def run(self) -> AsyncGenerator[DownloadEvent]:
        """Download; the last event is `Downloaded`.

        Raises: DownloadError: see `assistant.models.hub.transfer.fetch`. DownloadStopped: it was paused or cancelled.
        """
        child = await self._spawn()
        try:
            if self._stopped:  # while the process was starting
                raise self._stopped_by_person()
            await child.send(self._fetch)
            progress = _Progress()
            while not isinstance(message := await child.receive(), Fetched):
                if isinstance(message, FetchFailed):
                    raise DownloadError(message.message)
                if isinstance(message, Found):
                    self._parts = tuple(map(Path, message.parts))
                    if self._parts:
                        wanted_notes(self._paths.models).note(self._part_names, self._wanted)
                yield progress.after(message)
            wanted_notes(self._paths.models).forget(self._part_names)
            yield Downloaded(self._paths.models / message.name, message.already_there)
        except EngineError as error:
            raise self._ended(error) from error
        finally:
            child.kill()
            await child.close()
            self._child = None

    def pause(self) -> None:
        """Stop at once and keep what came; `run` then raises DownloadStopped."""
        self._stop("paused; what came is kept, and the same download goes on from there")

    def cancel(self) -> None:
        """Stop at once and delete what came, also earlier; `run` then raises DownloadStopped.

        Raises: ModelError: it cannot be deleted.
        """
        self._stop("cancelled; what came is deleted")
        for left in unfinished_downloads(self._paths):
            if left.path in self._parts or left.wanted == self._wanted:
                give_up_download(left, self._paths)

    @property
    def _part_names(self) -> list[str]:
        return [part.name for part in self._parts]

    async def _spawn(self) -> Child[FetchMessage]:
        if self._stopped:
            raise self._stopped_by_person()
        with suppress(OSError):  # a full disk must not keep anybody from downloading to another one
            self._paths.last_download.touch(mode=0o600)
        try:
            self._child = await Child.spawn(MODULE, EVENTS, "the download", self._paths.download_log, ENVIRONMENT)
        except EngineError as error:
            raise DownloadError(str(error)) from error
        return self._child

    def _stop(self, how: str) -> None:
        self._stopped = how
        if self._child:
            self._child.kill()

    def _ended(self, error: EngineError) -> DownloadError:
        return self._stopped_by_person() if self._stopped else DownloadError(f"{error}; what came is kept")

    def _stopped_by_person(self) -> DownloadStopped:
        return DownloadStopped(f"the download was {self._stopped}")


def parse_wanted(wanted: str, paths: Paths) -> Fetch:
    """What to fetch for a name of the catalogue, REPOSITORY or REPOSITORY:FILE.

    Raises: DownloadError: it is none of these.
    """
    known = load_catalogue().find(wanted)
    if known:
        return Fetch(known.repository, known.file, known.sha256, str(paths.models))
    named = _NAMED.fullmatch(wanted)
    if named is None or any(part in ("", "..") for part in (named["file"] or "x").split("/")):
        names = ", ".join(model.name for model in load_catalogue().models)
        raise DownloadError(
            f"{wanted}: name OWNER/REPOSITORY or OWNER/REPOSITORY:FILE.gguf of the Hugging Face hub, or one of {names}"
        )
    return Fetch(named["repository"], named["file"] or "", "", str(paths.models))


class _Progress:
    """Speed and time left, from how much was here over the last seconds."""

    def __init__(self) -> None:
        self._name, self._size, self._done = "", 0, 0
        self._seen: deque[tuple[float, int]] = deque()

    def after(self, message: FetchMessage) -> Downloading:
        """What there is to say after a message."""
        if isinstance(message, Found):
            self._name, self._size, self._done = message.names[0], message.size, message.done
        if isinstance(message, Arrived):
            self._done = message.done
        if isinstance(message, Verifying):
            self._done = self._size
        if isinstance(message, Found | Arrived):
            self._seen.append((time.monotonic(), self._done))
        speed = self._speed()
        left = (self._size - self._done) / speed if speed > 0 else None
        verifying, waiting = isinstance(message, Verifying), isinstance(message, Waiting)
        return Downloading(self._name, self._done, self._size, speed, left, verifying, waiting)

    def _speed(self) -> float:
        while len(self._seen) > 2 and self._seen[-1][0] - self._seen[0][0] > _SPEED_SECONDS:
            self._seen.popleft()
        with suppress(IndexError, ZeroDivisionError):
            (then, before), (now, done) = self._seen[0], self._seen[-1]
            return max(0.0, (done - before) / (now - then))
        return 0.0
