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
    """The assistant of the chosen home; its processes end and its files close with the block."""
    from assistant.app import Assistant

    assistant = Assistant.open(chosen.home, model or chosen.model)
    try:
        yield assistant
    finally:
        await assistant.close()


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a command's work to its end; ctrl+c cancels it and raises KeyboardInterrupt."""
    return asyncio.run(work)


def print_json(value: Any) -> None:
    """Print dataclasses, dates and paths as JSON."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)
