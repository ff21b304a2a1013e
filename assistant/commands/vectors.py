"""`assistant vectors`: control vectors made elsewhere, on or off, each with a strength."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assistant.commands.context import Globals, confirm, opened, pass_globals, print_json, run
from assistant.commands.parameters import Number
from assistant.figures import count

if TYPE_CHECKING:
    from assistant.app import Assistant
    from assistant.profile.vectors import ImportedVector

STRENGTH = Number(-2, 2)
"""The bounds of `assistant.profile.vectors`, which is not imported for a command's help."""
# A strength below 0 begins with a dash, as an option does.
NEGATIVE_NUMBERS = {"ignore_unknown_options": True}


@click.group()
def vectors() -> None:
    """Control vectors made elsewhere (by repeng, llama.cpp, ...), added to what was learned from you."""


@vectors.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", default="", help="What to call it; the file's name without one.")
@click.option(
    "--strength",
    type=STRENGTH,
    default=1.0,
    show_default=True,
    help="What it is multiplied with, -2 to 2; below 0 it works in reverse.",
)
@pass_globals
def add(chosen: Globals, file: Path, name: str, strength: float) -> None:
    """Import FILE, a control vector in GGUF format, and switch it on. The file itself is no longer needed then."""
    _tell(chosen, lambda assistant: assistant.vectors.add(file, name, strength))


@vectors.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_globals
def list_vectors(chosen: Globals, as_json: bool) -> None:
    """List the imported vectors, and why one does not steer."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            found = assistant.vectors.list()
            if as_json:
                print_json(found)
                return
            for vector in found:
                click.echo(_line(vector))
            if not found:
                click.echo("No imported vectors; `assistant vectors add FILE` adds one.", err=True)

    run(work())


@vectors.command(context_settings=NEGATIVE_NUMBERS)
@click.argument("name")
@click.argument("strength", type=STRENGTH)
@pass_globals
def strength(chosen: Globals, name: str, strength: float) -> None:
    """Set what a vector is multiplied with, -2 to 2; below 0 it works in reverse, 0 is off."""
    _tell(chosen, lambda assistant: assistant.vectors.set_strength(name, strength))


@vectors.command()
@click.argument("name")
@pass_globals
def on(chosen: Globals, name: str) -> None:
    """Switch a vector on; the next reply obeys."""
    _tell(chosen, lambda assistant: assistant.vectors.set_enabled(name, True))


@vectors.command()
@click.argument("name")
@pass_globals
def off(chosen: Globals, name: str) -> None:
    """Switch a vector off; its strength is kept."""
    _tell(chosen, lambda assistant: assistant.vectors.set_enabled(name, False))


@vectors.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_globals
def remove(chosen: Globals, name: str, yes: bool) -> None:
    """Erase an imported vector. This cannot be undone."""
    from assistant.errors import AssistantError
    from assistant.visible import sanitise

    async def work() -> None:
        async with opened(chosen) as assistant:
            if name not in [vector.name for vector in assistant.vectors.list()]:
                raise AssistantError(f"{name}: no imported vector of that name; `assistant vectors list` shows them")
            if not yes:
                confirm(f"Erase {sanitise(name)}?")
            assistant.vectors.remove(name)
            click.echo(f"{sanitise(name)}: erased")

    run(work())


def _tell(chosen: Globals, change: Callable[[Assistant], ImportedVector]) -> None:
    """Change something about a vector and print the line it has then."""

    async def work() -> None:
        async with opened(chosen) as assistant:
            click.echo(_line(change(assistant)))

    run(work())


def _line(vector: ImportedVector) -> str:
    from assistant.visible import one_line

    blocks = f"{count(len(vector.blocks), 'block')} of width {vector.width}"
    made = f"{one_line(vector.architecture, 20)}, {blocks}" if vector.architecture else blocks
    problem = f"; does not steer: {one_line(vector.problem, 100)}" if vector.problem else ""
    return f"{vector.name:<20}  {'on ' if vector.enabled else 'off'}  × {vector.strength:<5g}  {made}{problem}"
