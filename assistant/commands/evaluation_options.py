"""What of `assistant evaluate`'s options does not go together: refused in words, nothing is silently ignored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from click.core import ParameterSource

PLOTTED = (".png", ".svg")


def refuse_ignored(option: str, ignored: Sequence[str]) -> None:
    """Refuse options that have no effect beside `option`; all are named as parameters are.

    Raises: click.UsageError: one of them was given.
    """
    context = click.get_current_context()
    for name in ignored:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--{_shown(name)} does not go with --{_shown(option)}")


def refuse_overwriting(data: Path, json_path: Path | None) -> None:
    """Refuse an outcome that would be written over the data, or be written over by its plot.

    Raises: click.BadParameter: it would.
    """
    if not json_path:
        return
    if json_path.suffix.lower() in PLOTTED:
        why = f"{json_path}: a plot is written there; name a file that ends in .json"
        raise click.BadParameter(why, param_hint="--json")
    for written in (json_path, results_beside(json_path)):
        if written.exists() and written.samefile(data):
            why = f"{written} is DATA, which would be written over; name another file"
            raise click.BadParameter(why, param_hint="--json")


def results_beside(json_path: Path) -> Path:
    """Where what is measured is kept."""
    return json_path.with_suffix(".results.jsonl")


def _shown(name: str) -> str:
    return name.replace("_", "-")
