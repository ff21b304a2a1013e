"""What the ways to evaluate say on stderr: how far they are, and what was left out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assistant.evaluation.time_left import Progress
    from steering.evaluation.lines import LeftOutLine


def say_left_out(line: LeftOutLine, file: str = "") -> None:
    """Name a line that is not used; `file` where it is none of DATA."""
    from assistant.visible import sanitise

    where = f"{sanitise(file)}, " if file else ""
    click.echo(f"{where}line {line.line}: left out: {sanitise(line.why)}", err=True)


def show_progress(progress: Progress) -> None:
    """One line that changes on a terminal, else a line each."""
    from assistant.visible import sanitise

    left = "" if progress.seconds_left is None else f", about {progress.seconds_left / 60:.0f} min left"
    what = " ".join(filter(None, (sanitise(progress.user_id), progress.stage)))
    line = f"[{progress.done}/{progress.total}] {what}{left}"
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{line}", nl=False, err=True)
    else:
        click.echo(line, err=True)


def end_progress() -> None:
    """Go to a new line where progress was shown on one."""
    if sys.stderr.isatty():
        click.echo(err=True)


def too_long(line: int, tokens: int, context: int) -> LeftOutLine:
    """A line whose prompt the model cannot read at once; only the model's process can tell."""
    from steering.evaluation.lines import LeftOutLine

    return LeftOutLine(line, f"its prompt has {tokens} tokens, the model reads {context} at once")
