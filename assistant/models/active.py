"""The model that answers now, and its fingerprint (computed once for a file as it is)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from assistant.models.fingerprint import fingerprint
from assistant.models.local import resolve_model
from assistant.paths import Paths


class ActiveModel:
    """The model named by `spec` (see `resolve_model`), looked up anew each time: settings may change."""

    def __init__(self, spec: Callable[[], str], paths: Paths) -> None:
        self._spec = spec
        self._paths = paths
        self._known: dict[tuple[Path, int, int], str] = {}

    def path(self) -> Path:
        """The model file.

        Raises: ModelError: there is none.
        """
        return resolve_model(self._spec(), self._paths)

    def fingerprint(self) -> str:
        """The fingerprint of the model file; empty where there is no model."""
        path = self.path()
        stat = path.stat()
        key = (path, stat.st_size, stat.st_mtime_ns)
        if key not in self._known:
            self._known[key] = fingerprint(path)
        return self._known[key]
