"""What every command shares: the home, the model, and an opened Assistant that is closed again."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from assistant.errors import AssistantError

if TYPE_CHECKING:
    from assistant.app import Assistant

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Globals:
    """The global options."""

    home: Path | None
    model: str | None


pass_globals = click.make_pass_decorator(Globals)


@asynccontextmanager
async def opened(chosen: Globals, model: str | None = None) -> AsyncIterator[Assistant]:
    """The assistant of the chosen home; its processes end and its files close with the block.

    After the first successful command of a day the history is backed up. Where it can only be read, this says why.
    """
    from assistant.app import Assistant
    from assistant.visible import sanitise

    assistant = Assistant.open(chosen.home, model or chosen.model)
    if assistant.store.refusal:
        click.echo(f"only reading: {sanitise(assistant.store.refusal)}", err=True)
    try:
        yield assistant
        try:
            if not assistant.store.refusal:
                await assistant.back_up_daily()
        except AssistantError as error:  # the command itself is done
            click.echo(f"no backup of today: {sanitise(str(error))}", err=True)
    finally:
        await assistant.close()


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a command's work to its end; ctrl+c cancels it and raises KeyboardInterrupt."""
    return asyncio.run(work)


def confirm(question: str) -> None:
    """Ask on stderr before something is done.

    Raises: click.Abort: the answer is no, or there is none; that nothing was done is said.
    """
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)  # the question still waits on its line
        agreed = False
    if not agreed:
        click.echo("not done", err=True)
        raise click.Abort


def print_json(value: Any) -> None:
    """Print dataclasses, dates and paths as JSON."""
    click.echo(escaped(json.dumps(value, default=_plain, ensure_ascii=False, indent=2)))


def escaped(text: str) -> str:
    """JSON whose strings hold nothing that a terminal obeys: the same value, with such characters as `\\uXXXX`."""
    from assistant.visible import sanitise

    return "".join(c if c == "\n" or sanitise(c) == c else json.dumps(c)[1:-1] for c in text)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)
