"""Which model answers: a path, a file of the models folder, or the bundled one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ModelError
from assistant.models.bundled import bundled_model
from assistant.models.header import ModelHeader, read_header
from assistant.paths import Paths

SUFFIX = ".gguf"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model file at hand. `header` is None where it cannot be used; `problem` then says why, else ""."""

    path: Path
    bundled: bool
    header: ModelHeader | None
    problem: str


def resolve_model(spec: str, paths: Paths) -> Path:
    """The file for `spec`: a path, the name of a file in the models folder, or "" for the bundled model.

    Raises: ModelError: there is no such file, or no model at all.
    """
    if not spec.strip():
        return _default()
    named = Path(spec).expanduser()
    inside = paths.models / spec
    for path in (named, inside, inside.with_name(f"{inside.name}{SUFFIX}")):
        if path.is_file():
            return path.resolve()
    raise ModelError(
        f"{spec}: no such model file, neither as a path nor in {paths.models}; "
        "`assistant models list` shows what is there"
    )


def list_models(paths: Paths) -> list[ModelInfo]:
    """The bundled model, then the files of the models folder by name; unusable ones with their problem."""
    bundled = bundled_model()
    inside = sorted(paths.models.glob(f"*{SUFFIX}")) if paths.models.is_dir() else []
    first = [_info(bundled, bundled=True)] if bundled else []
    return [*first, *(_info(path, bundled=False) for path in inside)]


def _default() -> Path:
    path = bundled_model()
    if path is None:
        raise ModelError(
            "no model found: install the bundled one (`make run` does) or name one: assistant --model PATH"
        )
    return path


def _info(path: Path, *, bundled: bool) -> ModelInfo:
    try:
        return ModelInfo(path, bundled, read_header(path), "")
    except ModelError as error:
        return ModelInfo(path, bundled, None, str(error))
