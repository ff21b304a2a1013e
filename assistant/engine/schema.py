"""JSON schemas as grammars."""

from __future__ import annotations

import json
import re
from typing import Any

from assistant.engine.llama import gbnf_of_schema
from assistant.errors import EngineError

DEEPEST = 32
MOST_REPEATED = 1000
"""llama.cpp unrolls repetitions, and a grammar that repeats from 5 to 2 never ends."""
LONGEST_COUNT = 9
"""Digits that are looked at."""
LONGEST_GRAMMAR = 2**18
"""Characters; llama.cpp takes a second for so many."""
_NO_QUANTIFIER = re.compile(r"\\.|\[(?:\\.|[^\]])*\]", re.DOTALL)
_QUANTIFIER = re.compile(r"\{([^}]*)\}")
_RANGES = (("minItems", "maxItems"), ("minLength", "maxLength"))
_OF_NAMES = ("properties", "$defs", "definitions", "const", "enum", "default", "examples")
"""Below these are names or values, not keywords."""
_PASSED_OVER = frozenset(
    (
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems", "contains"),
        *("not", "if", "patternProperties", "propertyNames", "minProperties", "maxProperties", "dependentRequired"),
    )
)
"""What the converter says nothing about and does not obey."""


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
        grammar = gbnf_of_schema(schema)
    except Exception as error:  # the converter raises whatever a schema that it does not know leads to
        reason = f"{type(error).__name__}: {error}"
        raise EngineError(f"the JSON schema cannot be followed ({reason}); simplify it") from error
    if len(grammar) > LONGEST_GRAMMAR:
        raise EngineError(f"the JSON schema makes a grammar of {len(grammar):,} characters; simplify it")
    return grammar


def _check(node: Any, depth: int, *, names: bool = False) -> None:
    if depth > DEEPEST:
        raise EngineError(f"the JSON schema is nested more than {DEEPEST} deep; simplify it")
    if isinstance(node, dict):
        if not names:
            _check_keywords(node)
        for key, below in node.items():
            _check(below, depth + 1, names=key in _OF_NAMES and not names)
    elif isinstance(node, list):
        for below in node:
            _check(below, depth + 1)


def _check_keywords(node: dict[str, Any]) -> None:
    for low, high in _RANGES:
        _check_range(node, low, high)
    if passed_over := sorted(_PASSED_OVER & node.keys()):
        raise EngineError(f"no reply can be made to obey {passed_over[0]} in a JSON schema; leave it out")
    if isinstance(pattern := node.get("pattern"), str):
        _check_pattern(pattern)


def _check_range(node: dict[str, Any], low: str, high: str) -> None:
    bounds = [node[key] for key in (low, high) if isinstance(node.get(key), int | float)]
    if len(bounds) == 2 and bounds[0] > bounds[1]:
        raise EngineError(f"the JSON schema asks for {low} {bounds[0]} and {high} {bounds[1]}; correct it")
    if any(bound < 0 or bound > MOST_REPEATED for bound in bounds):
        raise EngineError(f"the JSON schema's {low} or {high} is not between 0 and {MOST_REPEATED}; correct it")


def _check_pattern(pattern: str) -> None:
    """The converter writes out every repetition of a pattern."""
    bounds = [
        [int(bound.strip()[:LONGEST_COUNT]) for bound in found.split(",") if bound.strip().isdecimal()]
        for found in _QUANTIFIER.findall(_NO_QUANTIFIER.sub("", pattern))
    ]
    if any(found != sorted(found) for found in bounds) or sum(map(max, filter(None, bounds))) > MOST_REPEATED:
        raise EngineError(
            f"a pattern in the JSON schema repeats the wrong way round or more than {MOST_REPEATED} times; correct it"
        )
