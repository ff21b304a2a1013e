"""Control vectors: arithmetic, and the GGUF file that llama.cpp loads.

`direction.<k>` is added to the output of block k (0-based), k >= 1: torch's `model.layers[k]` output.
Format: llama.cpp, `common/common.cpp` (common_control_vector_load).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

ARCHITECTURE = "controlvector"
METADATA_PREFIX = "assistant."
_TENSOR_PREFIX = "direction."

Direction = npt.NDArray[np.float32]


class ControlVectorError(ValueError):
    """A control vector, or a file of one, that llama.cpp would not take; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class ControlVector:
    """One direction of shape [width] (float32) for each steered block; immutable.

    Attributes:
        directions: direction by 0-based block index k >= 1; blocks that are not named are not steered.
        model_hint: the architecture it was made for, as in `general.architecture` ("llama", "qwen2", ...).
        metadata: our own notes (`assistant.<key>` in the file); llama.cpp ignores them.
    """

    directions: Mapping[int, Direction]
    model_hint: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.directions:
            raise ControlVectorError("a control vector needs at least one direction")
        frozen = {k: _frozen(k, direction) for k, direction in sorted(self.directions.items())}
        widths = {direction.shape[0] for direction in frozen.values()}
        if len(widths) != 1:
            raise ControlVectorError(f"directions differ in length: {sorted(widths)}")
        object.__setattr__(self, "directions", MappingProxyType(frozen))
        object.__setattr__(self, "metadata", MappingProxyType(dict(self.metadata)))

    @property
    def layers(self) -> tuple[int, ...]:
        """The steered blocks, 0-based, ascending."""
        return tuple(self.directions)

    @property
    def width(self) -> int:
        """Length of every direction: the model's n_embd."""
        return int(next(iter(self.directions.values())).shape[0])

    def __add__(self, other: ControlVector) -> ControlVector:
        """Sum of two vectors of the same width; blocks of either are steered."""
        if self.width != other.width:
            raise ControlVectorError(f"cannot add vectors of width {self.width} and {other.width}")
        blocks = {*self.directions, *other.directions}
        zero = np.zeros(self.width, np.float32)
        return self._with({k: self.directions.get(k, zero) + other.directions.get(k, zero) for k in blocks})

    def __sub__(self, other: ControlVector) -> ControlVector:
        """Difference of two vectors of the same width."""
        return self + other * -1.0

    def __mul__(self, factor: float) -> ControlVector:
        """Every direction times a number."""
        return self._with({k: direction * np.float32(factor) for k, direction in self.directions.items()})

    __rmul__ = __mul__

    def normalized(self) -> ControlVector:
        """Every direction scaled to unit norm; zero directions stay zero."""
        return self.scaled_to_norms(dict.fromkeys(self.directions, 1.0))

    def scaled_to_norms(self, norms: Mapping[int, float]) -> ControlVector:
        """Direction k scaled to the Euclidean norm `norms[k]`; zero directions stay zero."""
        return self._with({k: _scaled(direction, norms[k]) for k, direction in self.directions.items()})

    def norm(self) -> float:
        """Euclidean norm over all directions together."""
        return math.hypot(*(_length(direction) for direction in self.directions.values()))

    def cosine(self, other: ControlVector) -> dict[int, float]:
        """Cosine by block, for the blocks that both steer; 0 where either is zero."""
        shared = [k for k in self.directions if k in other.directions]
        return {k: _cosine(self.directions[k], other.directions[k]) for k in shared}

    def with_metadata(self, **notes: str) -> ControlVector:
        """The same vector with further notes for the file."""
        return ControlVector(self.directions, self.model_hint, {**self.metadata, **notes})

    def write_gguf(self, path: Path) -> None:
        """Write the file llama.cpp loads (0600, moved into place whole).

        Raises: OSError: the folder cannot be written; an existing file is untouched.
        """
        from gguf import GGUFValueType, GGUFWriter

        draft = path.with_name(f".{path.name}.{os.getpid()}.new")
        draft.touch(mode=0o600)
        try:
            writer = GGUFWriter(draft, ARCHITECTURE)
            writer.add_string(f"{ARCHITECTURE}.model_hint", self.model_hint)
            writer.add_uint32(f"{ARCHITECTURE}.layer_count", len(self.directions))
            for key, value in self.metadata.items():
                # `add_string` leaves out empty ones.
                writer.add_key_value(METADATA_PREFIX + key, value, GGUFValueType.STRING)
            for block, direction in self.directions.items():
                writer.add_tensor(f"{_TENSOR_PREFIX}{block}", direction)
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    @classmethod
    def read_gguf(cls, path: Path) -> ControlVector:
        """Read a control vector file of ours or of another tool (repeng, llama.cpp's generator).

        Raises: ControlVectorError: the file is no control vector, or llama.cpp would refuse it; says why.
        """
        try:
            reader = _open(path)
            architecture = _text_field(reader, "general.architecture")
            if architecture != ARCHITECTURE:
                raise ControlVectorError(f"{path}: a {architecture or 'foreign'} file, not a control vector")
            directions = dict(_direction(path, tensor) for tensor in reader.tensors)
            hint = _text_field(reader, f"{ARCHITECTURE}.model_hint")
            notes = {
                key.removeprefix(METADATA_PREFIX): _text_field(reader, key)
                for key in reader.fields
                if key.startswith(METADATA_PREFIX)
            }
            return cls(directions, hint, notes)
        except ControlVectorError:
            raise
        except (OSError, ValueError, KeyError, IndexError, OverflowError, RecursionError) as error:
            raise ControlVectorError(f"{path}: cannot be read as a GGUF control vector ({error})") from error

    def _with(self, directions: Mapping[int, Direction]) -> ControlVector:
        return ControlVector(directions, self.model_hint, self.metadata)


def _frozen(block: int, direction: Direction) -> Direction:
    if block < 1:
        raise ControlVectorError(f"block {block} cannot be steered; llama.cpp takes blocks from 1 on")
    array = np.array(direction, dtype=np.float32)
    if array.ndim != 1 or array.size == 0:
        raise ControlVectorError(f"direction {block} has shape {array.shape}, not one dimension")
    if not np.isfinite(array).all():
        raise ControlVectorError(f"direction {block} holds values that are no finite numbers")
    array.flags.writeable = False
    return array


def _scaled(direction: Direction, norm: float) -> Direction:
    length = _length(direction)
    return direction if length == 0 else (direction.astype(np.float64) * (norm / length)).astype(np.float32)


def _length(direction: Direction) -> float:
    # The squares of float32 values leave the range of float32.
    return float(np.linalg.norm(direction.astype(np.float64)))


def _cosine(a: Direction, b: Direction) -> float:
    norms = _length(a) * _length(b)
    return float(np.dot(a.astype(np.float64), b.astype(np.float64))) / norms if norms else 0.0


def _open(path: Path) -> Any:
    """A reader that stops at the end of the file: gguf's own counts on through arrays that claim 2^62 entries."""
    from gguf import GGUFReader

    class BoundedReader(GGUFReader):  # type: ignore[misc]  # gguf ships no types
        def _get(self, offset: int, dtype: type[np.generic], count: int = 1, override_order: object = None) -> object:
            if int(offset) + np.dtype(dtype).itemsize * int(count) > len(self.data):
                raise ValueError("it ends early")
            return super()._get(offset, dtype, count, override_order)

    return BoundedReader(path)


def _text_field(reader: Any, key: str) -> str:
    entry = reader.get_field(key)
    return "" if entry is None else str(entry.contents())


def _direction(path: Path, tensor: object) -> tuple[int, Direction]:
    name, kind, shape = tensor.name, tensor.tensor_type.name, tensor.shape  # type: ignore[attr-defined]
    number = re.fullmatch(re.escape(_TENSOR_PREFIX) + "(0|[1-9][0-9]{0,8})", name)
    if not number:
        raise ControlVectorError(f"{path}: unexpected tensor {name!r}; expected direction.<block>")
    if kind != "F32" or len(shape) != 1:
        raise ControlVectorError(f"{path}: {name} is {kind} of rank {len(shape)}; must be F32 of rank 1")
    return int(number[1]), np.asarray(tensor.data, np.float32)  # type: ignore[attr-defined]
