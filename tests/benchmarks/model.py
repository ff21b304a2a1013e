"""The model that benchmarks run on: the bundled one, unless another is named."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path

from assistant.models.bundled import bundled_model


def add_model_option(parser: ArgumentParser) -> None:
    """`--model FILE.gguf`; it must be given where the bundled model is not installed."""
    bundled = bundled_model()
    parser.add_argument("--model", type=Path, default=bundled, required=bundled is None)


def the_bundled_model() -> Path:
    """Its file; ends the program where it is not installed."""
    return bundled_model() or sys.exit("the bundled model is not installed; `make run` does that")
