"""Models that were being loaded when a process died: they are not loaded again by themselves."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from assistant.errors import EngineDied
from storage.private_files import create_private_file
from storage.process_identity import is_running, own_identity


class LoadAttempts:
    """A note in the cache for as long as a model is being loaded; one that stays tells of a crash."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def noted(self, fingerprint: str) -> Iterator[None]:
        """Note that a model is being loaded; the note stays where the engine or the app itself dies meanwhile.

        Whoever closes the terminal or logs out takes the note along: it is the kernel that kills for memory.
        """
        for earlier in self._notes(fingerprint):
            _remove(earlier)
        note = self._folder / f"loading-{fingerprint}-{os.getpid()}"
        with suppress(OSError):  # a full disk must not keep anybody from chatting
            create_private_file(note)
            note.write_text(own_identity() or "", encoding="utf-8")
        died = False
        try:
            with _forgotten_at_the_end(note):
                yield
        except EngineDied:
            died = True
            raise
        finally:
            if not died:
                _remove(note)

    def crashed(self, fingerprint: str) -> bool:
        """Whether the engine or an app died when this model was last loaded."""
        return any(not self._goes_on(note) for note in self._notes(fingerprint))

    def _notes(self, fingerprint: str) -> list[Path]:
        return list(self._folder.glob(f"loading-{fingerprint}-*"))

    def _goes_on(self, note: Path) -> bool:
        """Whether another app is loading the model right now."""
        with suppress(OSError):
            identity = note.read_text(encoding="utf-8")
            return identity != own_identity() and bool(identity) and is_running(identity)
        return True  # gone meanwhile: loaded


@contextmanager
def _forgotten_at_the_end(note: Path) -> Iterator[None]:
    """Meanwhile the signals that ask the app to end remove the note first."""

    def end(sign: int, _frame: FrameType | None) -> None:
        _remove(note)
        signal.signal(sign, signal.SIG_DFL)
        signal.raise_signal(sign)

    main = threading.current_thread() is threading.main_thread()  # others may set no handler
    asking = [sign for sign in (signal.SIGHUP, signal.SIGTERM) if main and signal.getsignal(sign) is signal.SIG_DFL]
    for sign in asking:
        signal.signal(sign, end)
    try:
        yield
    finally:
        for sign in asking:
            signal.signal(sign, signal.SIG_DFL)


def _remove(note: Path) -> None:
    with suppress(OSError):  # a read-only file system says so even of what is not there
        note.unlink(missing_ok=True)
