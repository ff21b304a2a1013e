"""Which model answers: a path, a file of the models folder, or the bundled one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ModelError
from assistant.models.bundled import bundled_model
from assistant.models.elsewhere import models_elsewhere
from assistant.models.header import ModelHeader, read_header
from assistant.paths import Paths
from steering.models.splits import PATTERN, first_part, is_first, model_size, part_names

SUFFIX = ".gguf"


BUNDLED, OURS, ELSEWHERE = "bundled", "models folder", "file"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model file at hand.

    Attributes:
        name: what it is called here; `models use` and `models check` take it.
        source: where it comes from: `BUNDLED`, `OURS`, or the program that has it.
        size: in bytes, all parts of a split model together.
        header: None where it cannot be used; `problem` then says why, else "".
    """

    name: str
    path: Path
    source: str
    size: int
    header: ModelHeader | None
    problem: str

    @property
    def bundled(self) -> bool:
        """Whether it came with the program."""
        return self.source == BUNDLED


def resolve_model(spec: str, paths: Paths) -> Path:
    """The file for `spec`: a path, the name of a file in the models folder, or "" for the bundled model.

    Raises: ModelError: there is no such file, or no model at all.
    """
    if not spec.strip():
        return _default()
    inside = paths.models / spec
    try:
        named = Path(spec).expanduser()
        for path in (named, inside, inside.with_name(f"{inside.name}{SUFFIX}")):
            if path.is_file():
                return _real(first_part(path))
    except (OSError, RuntimeError, ValueError) as error:  # a folder that may not be read, a home that nobody has
        why = error.strerror if isinstance(error, OSError) else error
        raise ModelError(f"{spec}: cannot be a model file ({why}); name another one") from error
    raise ModelError(
        f"{spec}: no such model file, neither as a path nor in {paths.models}; "
        "`assistant models list` shows what is there"
    )


def _real(first: Path) -> Path:
    """Where links lead, but to files that are named like parts where these are: the others are told by the name."""
    real = first.resolve()
    return real if len(part_names(real.name)) == len(part_names(first.name)) else first.absolute()


def list_models(paths: Paths) -> list[ModelInfo]:
    """The bundled model, the files of the models folder by name (unusable ones with their problem), those elsewhere."""
    bundled = bundled_model()
    inside = sorted(paths.models.glob(PATTERN)) if paths.models.is_dir() else []
    ours = [model_info(path.name, path, OURS) for path in inside if is_first(path)]
    others = (model_info(found.name, found.path, found.program) for found in models_elsewhere())
    first = [model_info(bundled.name, bundled, BUNDLED)] if bundled else []
    # What another program has and we cannot use is none of our business.
    return [*first, *ours, *(found for found in others if not found.problem)]


def _default() -> Path:
    path = bundled_model()
    if path is None:
        raise ModelError(
            "no model found: install the bundled one (`make run` does) or name one: assistant --model PATH"
        )
    return path


def model_info(name: str, path: Path, source: str) -> ModelInfo:
    """What is to be said of a model file, whether it can be used or not."""
    try:
        return ModelInfo(name, path, source, model_size(path), read_header(path), "")
    except ModelError as error:
        return ModelInfo(name, path, source, model_size(path), None, str(error))
    except OSError as error:
        problem = f"{path}: cannot be looked at ({error.strerror or error}); make it readable or remove it"
        return ModelInfo(name, path, source, 0, None, problem)
