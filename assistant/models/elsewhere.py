"""Models that Ollama and LM Studio have downloaded: usable where they lie, never written or deleted by us."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steering.models.splits import PATTERN, is_first

OLLAMA, LM_STUDIO = "Ollama", "LM Studio"
_MODEL_LAYER = "application/vnd.ollama.image.model"
_DEFAULT_REGISTRY = ("registry.ollama.ai", "library")
_LARGEST_MANIFEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A model file of another program, under the name it has there."""

    name: str
    path: Path
    program: str


def models_elsewhere() -> list[Elsewhere]:
    """All that is found, by name; folders that cannot be read are passed over."""
    return sorted([*_ollama(), *_lm_studio()], key=lambda found: (found.program, found.name))


def _ollama() -> Iterator[Elsewhere]:
    seen: set[Path] = set()
    for folder in _ollama_folders():
        for manifest in _files(folder / "manifests", "*"):
            path = _weights(folder, manifest)
            if path and path not in seen:  # several tags may name one file
                seen.add(path)
                yield Elsewhere(_ollama_name(manifest.relative_to(folder / "manifests")), path, OLLAMA)


def _ollama_folders() -> list[Path]:
    set_by_person = os.environ.get("OLLAMA_MODELS")
    if set_by_person:
        return [Path(set_by_person)]
    return [*_at_home(".ollama/models"), Path("/usr/share/ollama/.ollama/models")]


def _at_home(*folders: str) -> list[Path]:
    """Folders of the person's home; none where there is no home."""
    try:
        return [Path.home() / folder for folder in folders]
    except RuntimeError:
        return []


def _weights(folder: Path, manifest: Path) -> Path | None:
    """The one file of weights that a manifest names; None where there is none, or several."""
    try:
        if manifest.stat().st_size > _LARGEST_MANIFEST:
            return None
        layers = json.loads(manifest.read_text(encoding="utf-8"))["layers"]
        digests = [layer["digest"] for layer in layers if layer["mediaType"] == _MODEL_LAYER]
        path = _blob(folder, digests[0]) if len(digests) == 1 else None
        return path if path and path.is_file() else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _blob(folder: Path, digest: Any) -> Path | None:
    kind, _, digits = digest.partition(":") if isinstance(digest, str) else ("", "", "")
    return folder / "blobs" / f"sha256-{digits}" if kind == "sha256" and digits.isalnum() else None


def _ollama_name(manifest: Path) -> str:
    *where, model, tag = manifest.parts
    return f"{model}:{tag}" if tuple(where) == _DEFAULT_REGISTRY else f"{'/'.join([*where[1:], model])}:{tag}"


def _lm_studio() -> Iterator[Elsewhere]:
    for folder in _at_home(".lmstudio/models", ".cache/lm-studio/models"):
        for path in _files(folder, PATTERN):
            if is_first(path):
                yield Elsewhere(str(path.relative_to(folder)), path, LM_STUDIO)


def _files(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(path for path in folder.rglob(pattern) if path.is_file())
    except OSError:
        return []
