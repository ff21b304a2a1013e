"""Tunings that were measured before, so that a model is measured once on a machine."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from pydantic import TypeAdapter, ValidationError

from assistant.engine.protocol import Tuning
from storage.private_files import create_private_file

_TUNING = TypeAdapter(Tuning)
_ENGINE = "llama-cpp-python"


class Tunings:
    """A small JSON file in the cache; lost or unreadable it only means measuring again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, fingerprint: str, threads: int | None) -> Tuning | None:
        """The tuning of a model on this machine with these threads in the settings; None where it was not measured."""
        try:
            return _TUNING.validate_python(self._all().get(_key(fingerprint, threads)))
        except ValidationError:
            return None

    def put(self, fingerprint: str, threads: int | None, tuning: Tuning) -> None:
        """Remember a tuning; where that cannot be written it is measured again next time."""
        known = {**self._all(), _key(fingerprint, threads): asdict(tuning)}
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        with suppress(OSError):
            create_private_file(draft)
            draft.write_text(json.dumps(known, indent=1), encoding="utf-8")
            draft.replace(self._path)

    def _all(self) -> dict[str, Any]:
        try:
            known = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return known if isinstance(known, dict) else {}


def _key(fingerprint: str, threads: int | None) -> str:
    """What a tuning depends on: model, machine, llama.cpp, and the threads that are set."""
    machine = f"{psutil.cpu_count(logical=False)}/{psutil.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB"
    return f"{fingerprint}, {machine}, {_ENGINE} {version(_ENGINE)}, threads {threads or 'free'}"
