"""A bounded reader of the GGUF header, for files that nobody vouches for.

The gguf package's GGUFReader makes objects of every vocabulary entry (2 s for 49,000) and trusts the counts
in the file. This one walks the same bytes in milliseconds, never beyond the end of the file, and keeps only
small values.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path

from assistant.errors import ModelError

MAGIC = b"GGUF"
VERSIONS = (2, 3)
STRING, ARRAY = 8, 9
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
MOST_ENTRIES = 1_000_000
MOST_DIMENSIONS = 4
LONGEST_KEPT_STRING = 1_000_000
DEFAULT_ALIGNMENT = 32

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor as the header names it: dimensions, the GGML type's number, offset into the tensor data."""

    name: str
    dimensions: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True, slots=True)
class GgufContents:
    """What a GGUF header says.

    Attributes:
        values: scalars and strings by key.
        lengths: lengths of arrays by key; their elements are not kept.
        data_start: where the tensor data begins in the file, in bytes.
        size: size of the file in bytes.
    """

    version: int
    values: dict[str, Value]
    lengths: dict[str, int]
    tensors: list[TensorEntry]
    data_start: int
    size: int


def read_contents(path: Path) -> GgufContents:
    """Read a file's header.

    Raises: ModelError: it cannot be opened, is not GGUF, of another version or byte order, or cut in the
    header.
    """
    try:
        with path.open("rb") as file:
            if path.stat().st_size < len(MAGIC):
                raise ModelError(f"{path}: not a GGUF file (it is nearly empty); choose another file")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Header(path, data).read()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error}); name a GGUF file") from error


@dataclass(slots=True)
class _Header:
    path: Path
    data: mmap.mmap
    at: int = 0
    values: dict[str, Value] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)

    def read(self) -> GgufContents:
        self._check_magic()
        version = self._check_version()
        tensors, pairs = self._count("Q", "tensors"), self._count("Q", "metadata entries")
        for _ in range(pairs):
            self._read_pair()
        entries = [self._read_tensor() for _ in range(tensors)]
        alignment = self.values.get("general.alignment", DEFAULT_ALIGNMENT)
        if not isinstance(alignment, int) or alignment <= 0:
            raise self._broken(f"alignment is {alignment!r}")
        start = -(-self.at // alignment) * alignment
        return GgufContents(version, self.values, self.lengths, entries, start, len(self.data))

    def _check_magic(self) -> None:
        self.at = len(MAGIC)
        if self.data[: self.at] != MAGIC:
            raise ModelError(f"{self.path}: not a GGUF file; choose a model in GGUF format")

    def _check_version(self) -> int:
        version = int(self._scalar("I"))
        if version in VERSIONS:
            return version
        if version & 0xFFFF == 0 and version >> 24 in VERSIONS:
            raise ModelError(f"{self.path}: a big-endian GGUF file; convert it or choose another file")
        raise ModelError(f"{self.path}: GGUF version {version} is not known (known: 2, 3); choose another file")

    def _read_pair(self) -> None:
        key = self._string()
        kind = int(self._scalar("I"))
        if kind == ARRAY:
            self.lengths[key] = self._skip_array()
        elif kind == STRING:
            self.values[key] = self._string()
        else:
            self.values[key] = self._scalar(self._format(kind))

    def _skip_array(self) -> int:
        kind, count = int(self._scalar("I")), int(self._scalar("Q"))
        if kind == STRING:
            for _ in range(count):
                self._skip(self._length())
        elif kind == ARRAY:
            raise self._broken("it holds arrays of arrays")
        else:
            self._skip(count * struct.calcsize(f"<{self._format(kind)}"))
        return count

    def _read_tensor(self) -> TensorEntry:
        name, rank = self._string(), int(self._scalar("I"))
        if rank > MOST_DIMENSIONS:
            raise self._broken(f"a tensor has {rank} dimensions")
        dimensions = tuple(int(self._scalar("Q")) for _ in range(rank))
        return TensorEntry(name, dimensions, int(self._scalar("I")), int(self._scalar("Q")))

    def _format(self, kind: int) -> str:
        if kind not in SCALARS:
            raise self._broken(f"value type {kind} is not known")
        return SCALARS[kind]

    def _count(self, code: str, what: str) -> int:
        count = int(self._scalar(code))
        if count > MOST_ENTRIES:
            raise self._broken(f"it claims {count} {what}")
        return count

    def _length(self) -> int:
        return int(self._scalar("Q"))

    def _string(self) -> str:
        length = self._length()
        start = self.at
        self._skip(length)
        return self.data[start : start + min(length, LONGEST_KEPT_STRING)].decode("utf-8", "replace")

    def _scalar(self, code: str) -> int | float | bool:
        size = struct.calcsize(f"<{code}")
        start = self.at
        self._skip(size)
        value: int | float | bool = struct.unpack_from(f"<{code}", self.data, start)[0]
        return value

    def _skip(self, length: int) -> None:
        self.at += length
        if self.at > len(self.data):
            raise ModelError(f"{self.path}: truncated: the file ends inside its header; download or copy it again")

    def _broken(self, what: str) -> ModelError:
        return ModelError(f"{self.path}: a broken GGUF file ({what}); download or copy it again")
