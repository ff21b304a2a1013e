"""The chat model's unsteered replies to the neutral prompts, kept for the next rebuild: nothing personal in them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from assistant.engine.protocol import Sampling
from assistant.paths import Paths
from steering.calibration.replies import REPLY_TOKENS
from steering.neutral import load_neutral_set
from storage.private_files import create_private_file


class NeutralCache:
    """One file for a model, its sampling settings and the prompts."""

    def __init__(self, paths: Paths, fingerprint: str, sampling: Sampling) -> None:
        depends_on = [fingerprint, asdict(sampling), REPLY_TOKENS, load_neutral_set().prompts]
        digest = hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:32]
        self._path: Path = paths.neutral / f"{digest}.json"

    def read(self) -> tuple[str, ...]:
        """The replies; empty where none are kept or the file is damaged (they are then generated again)."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return ()
        intact = isinstance(found, list) and all(isinstance(reply, str) for reply in found)
        return tuple(found) if intact else ()

    def write(self, replies: tuple[str, ...]) -> None:
        """Keep the replies; without room for them the next rebuild generates them again."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            create_private_file(self._path)
            self._path.write_text(json.dumps(replies), encoding="utf-8")
        except OSError:
            self._path.unlink(missing_ok=True)
