"""JSON schemas as grammars."""

from __future__ import annotations

import json
import re
import warnings
from typing import Any

from assistant.engine.llama import gbnf_of_schema
from assistant.engine.time_limit import at_most
from assistant.errors import EngineError

LONGEST_SECONDS = 1.5
DEEPEST = 32
MOST_REPEATED = 1000
"""llama.cpp unrolls repetitions, and a grammar that repeats from 5 to 2 never ends."""
LONGEST_COUNT = 9
"""Digits that are looked at."""
LONGEST_GRAMMAR = 2**18
"""Characters; llama.cpp takes a second for so many."""
_CLASS = re.compile(r"\[(\^?)((?:\\.|[^\]])*)\]", re.DOTALL)
_NO_QUANTIFIER = re.compile(rf"\\.|{_CLASS.pattern}", re.DOTALL)
_QUANTIFIER = re.compile(r"\{([^}]*)\}")
_CONTROL = "".join(map(chr, range(32)))
_UNSPEAKABLE = re.compile(rf'["{_CONTROL}]|\\[\w"\\]')
"""In a pattern: what JSON writes otherwise than it is, or what is no character to llama.cpp (`\\d`)."""
_CHARACTERS = re.compile(r"^(char|dot) ::= \[\^[^\]]*", re.MULTILINE)
_WHOLE_CHARACTERS = r'\1 ::= [^"\\\\\\x00-\\x1F'
"""The converter lets strings hold what makes them no JSON: line ends, and in patterns quotation marks too."""
_RANGES = (("minItems", "maxItems"), ("minLength", "maxLength"))
_OF_NAMES = ("properties", "$defs", "definitions")
_OF_VALUES = ("const", "enum", "default", "examples")
"""Below these are names or values, not keywords."""
_PASSED_OVER = frozenset(
    (
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "uniqueItems", "contains"),
        *("not", "if", "patternProperties", "propertyNames", "minProperties", "maxProperties", "dependentRequired"),
    )
)
"""What the converter says nothing about and does not obey."""
_FORMATS = re.compile(r"date|time|date-time|uuid[1-5]?")


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
        with at_most(LONGEST_SECONDS):  # a lone bracket in a pattern keeps the converter for ever
            grammar = _CHARACTERS.sub(_WHOLE_CHARACTERS, gbnf_of_schema(json.dumps(parsed, allow_nan=False)))
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
            if names or key not in _OF_VALUES:
                _check(below, depth + 1, names=key in _OF_NAMES and not names)
    elif isinstance(node, list):
        for below in node:
            _check(below, depth + 1)


def _check_keywords(node: dict[str, Any]) -> None:
    for low, high in _RANGES:
        _check_range(node, low, high)
    if passed_over := sorted(_PASSED_OVER & node.keys()):
        raise EngineError(f"no reply can be made to obey {passed_over[0]} in a JSON schema; leave it out")
    if "format" in node and not _FORMATS.fullmatch(str(node["format"])):
        raise EngineError(f"no reply can be made to obey format {node['format']!r} in a JSON schema; leave it out")
    if isinstance(pattern := node.get("pattern"), str):
        _check_pattern(pattern)
        node["pattern"] = _CLASS.sub(_speakable, pattern)


def _check_range(node: dict[str, Any], low: str, high: str) -> None:
    bounds = [node[key] for key in (low, high) if isinstance(node.get(key), int | float)]
    if len(bounds) == 2 and bounds[0] > bounds[1]:
        raise EngineError(f"the JSON schema asks for {low} {bounds[0]} and {high} {bounds[1]}; correct it")
    if any(bound < 0 or bound > MOST_REPEATED for bound in bounds):
        raise EngineError(f"the JSON schema's {low} or {high} is not between 0 and {MOST_REPEATED}; correct it")


def _check_pattern(pattern: str) -> None:
    """The converter writes out every repetition of a pattern, and every character as it stands."""
    if found := _UNSPEAKABLE.search(pattern):
        raise EngineError(f"a pattern in the JSON schema holds {found[0]!r}, which cannot be followed; leave it out")
    if pattern.endswith("\\$"):
        raise EngineError("a pattern in the JSON schema ends with a dollar sign that is text; correct it")
    bounds = [
        [int(bound.strip()[:LONGEST_COUNT]) for bound in found.split(",") if bound.strip().isdecimal()]
        for found in _QUANTIFIER.findall(_NO_QUANTIFIER.sub("", pattern))
    ]
    if any(found != sorted(found) for found in bounds) or sum(map(max, filter(None, bounds))) > MOST_REPEATED:
        raise EngineError(
            f"a pattern in the JSON schema repeats the wrong way round or more than {MOST_REPEATED} times; correct it"
        )


def _speakable(found: re.Match[str]) -> str:
    """A class of characters, without those that JSON writes otherwise."""
    if found[1]:
        return f'[^{found[2]}"\\\\\\x00-\\x1F]'
    try:
        with warnings.catch_warnings():
            # Python may read "[[" or "--" within a class otherwise one day; to llama.cpp they are characters.
            warnings.simplefilter("ignore", FutureWarning)
            wrong = re.search(found[0], f'"\\{_CONTROL}')
    except re.error as error:
        raise EngineError(f"a pattern in the JSON schema holds the wrong {found[0]!r} ({error}); correct it") from error
    if wrong:
        raise EngineError(f"a pattern in the JSON schema holds {found[0]!r} and so {wrong[0]!r}; leave it out")
    return found[0]
