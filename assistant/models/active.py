"""The model that answers now, its fingerprint and its header (read once for a file as it is)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from assistant.models.fingerprint import fingerprint
from assistant.models.header import ModelHeader, read_header
from assistant.models.local import resolve_model
from assistant.paths import Paths

FileState = tuple[Path, int, int]


class ActiveModel:
    """The model named by `spec` (see `resolve_model`), looked up anew each time: settings may change."""

    def __init__(self, spec: Callable[[], str], paths: Paths) -> None:
        self._spec = spec
        self._paths = paths
        self._fingerprints: dict[FileState, str] = {}
        self._headers: dict[FileState, ModelHeader] = {}

    def path(self) -> Path:
        """The model file.

        Raises: ModelError: there is none.
        """
        return resolve_model(self._spec(), self._paths)

    def fingerprint(self) -> str:
        """The fingerprint of the model file.

        Raises: ModelError: there is none, or it cannot be read.
        """
        state = self._state()
        if state not in self._fingerprints:
            self._fingerprints[state] = fingerprint(state[0])
        return self._fingerprints[state]

    def header(self) -> ModelHeader:
        """What the model file says of itself.

        Raises: ModelError: there is none, or it cannot be used.
        """
        state = self._state()
        if state not in self._headers:
            self._headers[state] = read_header(state[0])
        return self._headers[state]

    def _state(self) -> FileState:
        path = self.path()
        stat = path.stat()
        return path, stat.st_size, stat.st_mtime_ns
