"""A fingerprint of a model file: equal for equal files anywhere, in a moment for files of any size."""

from __future__ import annotations

import hashlib
from pathlib import Path

from assistant.errors import ModelError
from assistant.models.gguf_file import read_contents
from steering.models.splits import parts

SAMPLES = 256
SAMPLE_BYTES = 16_384
LENGTH = 32


def fingerprint(path: Path) -> str:
    """SHA-256 (32 hex digits) over the size, the header and 256 evenly spaced samples of the weights.

    Two files that differ only between samples (4 MiB in all; small files are read whole) get the same one. That of a
    split model is over those of its parts.

    Raises: ModelError: not a GGUF file, or it cannot be read.
    """
    found = [_of_file(part) for part in parts(path)]
    return found[0] if len(found) == 1 else hashlib.sha256("\n".join(found).encode()).hexdigest()[:LENGTH]


def _of_file(path: Path) -> str:
    start = read_contents(path).data_start
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            digest = hashlib.sha256(f"{size}\n".encode())
            digest.update(file.read(start))
            for offset in _offsets(start, size):
                file.seek(offset)
                digest.update(file.read(SAMPLE_BYTES))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}); name a GGUF file") from error
    return digest.hexdigest()[:LENGTH]


def _offsets(start: int, size: int) -> range | list[int]:
    room = size - start
    if room <= SAMPLES * SAMPLE_BYTES:
        return range(start, size, SAMPLE_BYTES)
    last = room - SAMPLE_BYTES
    return [start + last * index // (SAMPLES - 1) for index in range(SAMPLES)]
