"""JSON schemas as grammars."""

from __future__ import annotations

import json
from typing import Any

from assistant.engine.llama import gbnf_of_schema
from assistant.errors import EngineError

DEEPEST = 32
MOST_REPEATED = 1000
"""llama.cpp unrolls repetitions, and a grammar that repeats from 5 to 2 never ends."""
_RANGES = (("minItems", "maxItems"), ("minLength", "maxLength"), ("minimum", "maximum"))


def grammar_of(schema: str) -> str:
    """The grammar (GBNF) of what a JSON schema (its text) allows.

    Raises: EngineError: it is no JSON schema, or one that llama.cpp cannot follow.
    """
    try:
        parsed = json.loads(schema)
    except (ValueError, RecursionError) as error:
        raise EngineError(f"the JSON schema is no JSON ({error}); correct it") from error
    if not isinstance(parsed, dict):
        raise EngineError("the JSON schema is no JSON object; correct it")
    _check(parsed, 0)
    try:
        return gbnf_of_schema(schema)
    except Exception as error:  # the converter raises whatever a schema that it does not know leads to
        reason = f"{type(error).__name__}: {error}"
        raise EngineError(f"the JSON schema cannot be followed ({reason}); simplify it") from error


def _check(node: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise EngineError(f"the JSON schema is nested more than {DEEPEST} deep; simplify it")
    if isinstance(node, dict):
        for low, high in _RANGES:
            _check_range(node, low, high)
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _check(below, depth + 1)


def _check_range(node: dict[str, Any], low: str, high: str) -> None:
    bounds = [node[key] for key in (low, high) if isinstance(node.get(key), int | float)]
    if len(bounds) == 2 and bounds[0] > bounds[1]:
        raise EngineError(f"the JSON schema asks for {low} {bounds[0]} and {high} {bounds[1]}; correct it")
    if low != "minimum" and any(bound < 0 or bound > MOST_REPEATED for bound in bounds):
        raise EngineError(f"the JSON schema's {low} or {high} is not between 0 and {MOST_REPEATED}; correct it")
