"""Errors of the rooms below as what the screens and the command line know: AssistantError."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from assistant.errors import AssistantError
from storage.errors import StorageError

ClassT = TypeVar("ClassT", bound=type)


@contextmanager
def storage_errors_reported() -> Iterator[None]:
    """Raise a StorageError on as an AssistantError; its text is already a line for the user."""
    try:
        yield
    except StorageError as error:
        raise AssistantError(str(error)) from error


def reports_storage_errors(cls: ClassT) -> ClassT:
    """Class decorator: every public method raises AssistantError where the history could not be read or written."""
    for name, member in list(vars(cls).items()):
        if inspect.isfunction(member) and not name.startswith("_"):
            setattr(cls, name, _reporting(member))
    return cls


def _reporting(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def stream(*args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
        with storage_errors_reported():
            events = function(*args, **kwargs)
            try:
                async for event in events:
                    yield event
            finally:
                await events.aclose()

    @functools.wraps(function)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        with storage_errors_reported():
            return await function(*args, **kwargs)

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        with storage_errors_reported():
            return function(*args, **kwargs)

    if inspect.isasyncgenfunction(function):
        return stream
    return coroutine if inspect.iscoroutinefunction(function) else plain
