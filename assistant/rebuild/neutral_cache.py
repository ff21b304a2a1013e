"""What is neutral in a rebuild, kept for the next one: the chat model's unsteered replies, another author's vector."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from assistant.engine.protocol import Sampling
from assistant.paths import Paths
from steering.calibration.replies import JUDGED_TOKENS, REPLY_TOKENS
from steering.neutral import load_neutral_set
from steering.profile import KeptVector
from storage.private_files import create_private_file

T = TypeVar("T")
_REPLIES = TypeAdapter(tuple[str, ...])
_VECTOR = TypeAdapter(KeptVector)


class NeutralCache:
    """Two files for a model, its sampling settings and the prompts.

    What is damaged or not there is made again; so is what there was no room for.
    """

    def __init__(self, paths: Paths, fingerprint: str, sampling: Sampling) -> None:
        depends_on = [fingerprint, asdict(sampling), REPLY_TOKENS, JUDGED_TOKENS, load_neutral_set().prompts]
        digest = hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:32]
        self._replies: Path = paths.neutral / f"{digest}.json"
        self._author: Path = paths.neutral / f"{digest}.vector.json"

    def read(self) -> tuple[str, ...]:
        """The replies; empty where none are kept."""
        return _read(_REPLIES, self._replies) or ()

    def write(self, replies: tuple[str, ...]) -> None:
        """Keep the replies."""
        _write(self._replies, _REPLIES.dump_json(replies))

    def read_author(self) -> KeptVector | None:
        """Another author's vector; None where none is kept."""
        return _read(_VECTOR, self._author)

    def write_author(self, vector: KeptVector) -> None:
        """Keep the vector."""
        _write(self._author, _VECTOR.dump_json(vector))


def _read(kind: TypeAdapter[T], path: Path) -> T | None:
    try:
        return kind.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        create_private_file(path)
        path.write_bytes(content)
    except OSError:
        path.unlink(missing_ok=True)
