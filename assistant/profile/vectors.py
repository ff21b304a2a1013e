"""Imported control vectors: add, switch, weigh and remove them; which of them can steer the model at hand."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assistant.errors import AssistantError, ModelError
from assistant.models.active import ActiveModel
from assistant.models.header import ModelHeader
from assistant.paths import Paths
from assistant.profile.combination import Part, combined_file, forget_combinations
from assistant.reporting import reports_storage_errors
from assistant.visible import one_line
from storage.records import VectorRecord
from storage.store import Store
from storage.values import is_file

MIN_STRENGTH, MAX_STRENGTH = -2.0, 2.0
LONGEST_NAME = 40
LONGEST_REASON = 400
_GGUF_NAMES = {
    "mistral": "llama",
    "mixtral": "llama",
    "cohere": "commandr",
    "deepseekv2": "deepseek2",
    "deepseekv3": "deepseek2",
    "phi": "phi2",
    "gptbigcode": "starcoder",
}
"""Where transformers, after which other tools name a model, and llama.cpp have different names for one architecture."""


@dataclass(frozen=True, slots=True)
class ImportedVector:
    """A control vector made elsewhere.

    Attributes:
        architecture: what it was made for, as its file says; may be empty.
        blocks: the blocks it steers, 0-based, ascending.
        strength: what it is multiplied with, -2 to 2; below 0 it works in reverse.
        problem: why it cannot steer the model at hand; empty where it can.
    """

    name: str
    architecture: str
    width: int
    blocks: tuple[int, ...]
    strength: float
    enabled: bool
    added_at: datetime
    problem: str

    @property
    def why_off(self) -> str:
        """Why it does not steer; empty where it does."""
        if not self.enabled:
            return "switched off"
        return self.problem or ("" if self.strength else "strength 0")


@reports_storage_errors
class Vectors:
    """The imported vectors of one home."""

    def __init__(self, store: Store, paths: Paths, model: ActiveModel) -> None:
        self._store = store
        self._paths = paths
        self._model = model

    def add(self, path: Path, name: str = "", strength: float = 1.0) -> ImportedVector:
        """Import a file (of repeng, of llama.cpp or of ours) under a name, else under the file's; it is switched on.

        One that does not fit the model at hand is kept, and steers once a model is chosen that it fits.

        Raises: AssistantError: no control vector, a name that is taken, a strength out of range; nothing is kept.
        """
        from steering.control_vector import ControlVector, ControlVectorError

        _check_strength(strength)
        if not is_file(path):
            raise AssistantError(f"{path}: no such file that can be read; name a control vector in GGUF format")
        chosen = _checked_name(name or path.stem)
        try:
            vector, file = ControlVector.read_gguf(path), path.read_bytes()
        except ControlVectorError as error:
            # What the file says of itself may be in it.
            said = one_line(str(error), LONGEST_REASON)
            raise AssistantError(f"{said}; choose a control vector in GGUF format") from error
        except OSError as error:
            raise AssistantError(f"{path}: cannot be read ({error.strerror or error})") from error
        record = self._store.vectors.add(
            chosen, file, model_hint=vector.model_hint, width=vector.width, blocks=vector.layers, strength=strength
        )
        return self._shown([record])[0]

    def list(self) -> list[ImportedVector]:
        """All of them in the order in which they came."""
        return self._shown(self._store.vectors.list())

    def set_strength(self, name: str, strength: float) -> ImportedVector:
        """Set what a vector is multiplied with, -2 to 2; 0 switches it off.

        Raises: AssistantError: out of range, or there is none of that name.
        """
        _check_strength(strength)
        return self._shown([self._store.vectors.set_strength(name, strength)])[0]

    def set_enabled(self, name: str, enabled: bool) -> ImportedVector:
        """Switch a vector on or off; its strength is kept.

        Raises: AssistantError: there is none of that name.
        """
        return self._shown([self._store.vectors.set_enabled(name, enabled)])[0]

    def remove(self, name: str) -> None:
        """Forget a vector: its file is in no byte of the home afterwards.

        Raises: AssistantError: there is none of that name.
        """
        self._store.vectors.delete(name)
        forget_combinations(self._paths.profiles)

    def combined(self, learned: Part | None, imported: Sequence[ImportedVector]) -> Path:
        """The learned vector and the imported ones, each times its strength, as one file for the engine.

        Raises: AssistantError: they cannot be added, or the file cannot be written.
        """
        parts = [Part(self._store.vectors.file(one.name), one.strength) for one in imported]
        return combined_file(self._paths.profiles, [learned, *parts] if learned else parts)

    def _shown(self, records: Sequence[VectorRecord]) -> builtins.list[ImportedVector]:
        if not records:
            return []
        try:
            header = self._model.header()
        except ModelError:
            return [_imported(record, "there is no model that it could steer") for record in records]
        return [_imported(record, _misfit(record, header)) for record in records]


def _imported(record: VectorRecord, problem: str) -> ImportedVector:
    return ImportedVector(
        name=record.name,
        architecture=record.model_hint,
        width=record.width,
        blocks=record.blocks,
        strength=record.strength,
        enabled=record.enabled,
        added_at=record.added_at,
        problem=problem,
    )


def _misfit(vector: VectorRecord, model: ModelHeader) -> str:
    """Why a vector cannot steer a model; empty where it can."""
    if vector.model_hint and _gguf_name(vector.model_hint) != _gguf_name(model.architecture):
        return f"made for {vector.model_hint} models, not {model.architecture}"
    if vector.width != model.width:
        return f"made for width {vector.width}, this model has {model.width}"
    if vector.blocks[-1] >= model.blocks:
        return f"steers block {vector.blocks[-1]}, this model has 0 to {model.blocks - 1}"
    return ""


def _gguf_name(architecture: str) -> str:
    """An architecture in letters and digits only; "gemma3_text" and "gemma3", "qwen2_moe" and "qwen2moe" are one."""
    plain = "".join(c for c in architecture.lower() if c.isalnum()).removesuffix("text")
    return _GGUF_NAMES.get(plain, plain)


def _check_strength(strength: float) -> None:
    if not MIN_STRENGTH <= strength <= MAX_STRENGTH:
        raise AssistantError(f"strength {strength:g} is out of range; choose {MIN_STRENGTH:g} to {MAX_STRENGTH:g}")


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise AssistantError(
            f"{one_line(name, LONGEST_NAME)}: cannot be the name of a vector; choose one of 1 to {LONGEST_NAME} "
            "printable characters with --name, or rename the file"
        )
    return name
