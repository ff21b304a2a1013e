"""Dataclasses over a pipe: one JSON object a line, tagged with the name of its class.

JSON and not pickle: whatever arrives can be shown, logged and fuzzed, and never runs code.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import pydantic_core
from pydantic import TypeAdapter, ValidationError

from assistant.errors import AssistantError

MessageT = TypeVar("MessageT")
TAG = "type"


class ProtocolError(AssistantError):
    """A line that is not a message; its text is not repeated, as it may be part of a conversation."""


def encode(message: Any) -> bytes:
    """One line for a dataclass instance. Lone surrogates become "?"; paths and dates become their text."""
    fields = {TAG: type(message).__name__, **_fields(message)}
    return _ENCODER.encode(fields).encode("utf-8", "replace") + b"\n"


def _fields(message: Any) -> dict[str, Any]:
    """Not `asdict`, which copies every number of every tuple."""
    return {field.name: getattr(message, field.name) for field in dataclasses.fields(message)}


def _plain(value: Any) -> Any:
    return _fields(value) if dataclasses.is_dataclass(value) else str(value)


_ENCODER = json.JSONEncoder(ensure_ascii=False, default=_plain)


class Decoder(Generic[MessageT]):
    """Reads lines back into the dataclasses it was made for."""

    def __init__(self, kinds: Iterable[type[MessageT]]) -> None:
        self._adapters = {kind.__name__: TypeAdapter(kind) for kind in kinds}

    def decode(self, line: bytes) -> MessageT:
        """The message in a line.

        Raises: ProtocolError: no JSON object, an unknown tag, a missing or wrong field.
        """
        try:
            fields = pydantic_core.from_json(line)
        except ValueError:
            raise ProtocolError(f"a line of {len(line)} bytes is no JSON") from None
        if not isinstance(fields, dict):
            raise ProtocolError("a line is no JSON object")
        name = fields.pop(TAG, None)
        adapter = self._adapters.get(name) if isinstance(name, str) else None
        if adapter is None:
            raise ProtocolError(f"a message is none of {', '.join(self._adapters)}")
        try:
            return adapter.validate_python(fields)
        except ValidationError as error:
            places = ", ".join(".".join(map(str, part["loc"])) for part in error.errors(include_input=False))
            raise ProtocolError(f"a {name} message is broken in: {places}") from None
