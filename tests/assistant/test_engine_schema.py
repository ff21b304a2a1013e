"""Replies under JSON schemas, checked by hand; schemas made to harm are refused in words."""

from __future__ import annotations

import json
import re
import socket
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from assistant.engine.abort import AbortFlag
from assistant.engine.process import Engine
from assistant.engine.protocol import Load, Sampling, Tuning
from assistant.engine.schema import grammar_of
from assistant.engine.session import Session
from assistant.errors import EngineError
from assistant.models.bundled import bundled_model
from tests.assistant.replies import asked, by_engine, by_session, greedy, seeded

QUESTION = "Describe a bird in a few words."
BIRD = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "colours": {"type": "array", "items": {"enum": ["red", "grün", "blue"]}, "minItems": 1, "maxItems": 3},
        "flies": {"type": "boolean"},
        "minimum": {"type": "string", "pattern": "^[a-z]{2}-[0-9]{1,3}$"},
    },
    "required": ["name", "colours", "flies", "minimum"],
    "additionalProperties": False,
}
TREE = {
    "type": "object",
    "properties": {"leaf": {"$ref": "#/$defs/leaf"}, "leaves": {"type": "array", "items": {"$ref": "#/$defs/leaf"}}},
    "required": ["leaf", "leaves"],
    "$defs": {"leaf": {"anyOf": [{"type": "null"}, {"const": 7}, {"type": "string", "maxLength": 4}]}},
}


def is_bird(said: Any) -> None:
    assert list(said) == ["name", "colours", "flies", "minimum"]
    assert isinstance(said["name"], str) and len(said["name"]) <= 12
    assert 1 <= len(said["colours"]) <= 3
    assert set(said["colours"]) <= {"red", "grün", "blue"}
    assert isinstance(said["flies"], bool)
    assert re.fullmatch(r"[a-z]{2}-[0-9]{1,3}", said["minimum"])


def is_leaf(said: Any) -> bool:
    return said is None or (type(said) is int and said == 7) or (isinstance(said, str) and len(said) <= 4)


def is_tree(said: Any) -> None:
    assert list(said) == ["leaf", "leaves"]
    assert isinstance(said["leaves"], list)
    assert all(map(is_leaf, [said["leaf"], *said["leaves"]]))


def string(pattern: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


HOSTILE: dict[str, Any] = {
    "items upside down": {"type": "array", "items": {"type": "integer"}, "minItems": 5, "maxItems": 2},
    "lengths upside down": {"type": "string", "minLength": 5, "maxLength": 2},
    "too many items": {"type": "array", "items": {"type": "integer"}, "minItems": 10**9},
    "endless length": {"type": "string", "maxLength": float("inf")},
    "less than no items": {"type": "array", "items": {"type": "integer"}, "maxItems": -3},
    "pattern upside down": string("^a{5,2}$"),
    "pattern without end": string("^a{1000000000}$"),
    "pattern of long numbers": string("^a{" + "9" * 5000 + "}$"),
    "pattern in a pattern": string("^(.{0,1000}){1000}$"),
    "pattern of brackets": string("^" + "(" * 20_000 + "a" + ")" * 20_000 + "$"),
    "pattern that is none": string("^*$"),
    "pattern in the middle": string("a{2}"),
    "pattern with a quotation mark": string('^"$'),
    "pattern with one in a range": string("^[ -~]$"),
    "pattern with a class of another language": string("^\\d$"),
    "pattern with a wrong range": string("^[z-a]$"),
    "pattern that ends with a text": string("^a\\$"),
    "format that nobody obeys": {"type": "string", "format": "email"},
    "no number": {"const": float("nan")},
    "number range": {"type": "integer", "minimum": 5, "maximum": 2},
    "what nobody obeys": {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}},
    "deep": nested(300),
    "loop": {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
    "itself": {"$ref": "#"},
    "nowhere": {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}},
    "a file": {"$ref": "file:///etc/passwd"},
    "the network": {"$ref": "https://127.0.0.1:9/schema.json"},
    "the network below": {"type": "object", "properties": {"a": {"$ref": "https://127.0.0.1:9/schema.json#/a"}}},
    "no such type": {"type": "nothing"},
    "nothing to choose from": {"enum": []},
    "properties in a list": {"type": "object", "properties": []},
    "true below": {"type": "object", "properties": {"a": True}},
    "too many words": {"enum": ["many words " * 10 + str(count) for count in range(9000)]},
    "thousands of properties": {"type": "object", "properties": {f"p{i}": {"type": "null"} for i in range(3000)}},
}
NO_SCHEMA = ["", "no JSON", "[1]", "null", "3", '"text"', "{", "[" * 100_000, '{"a": ' + "9" * 5000 + "}"]


@pytest.fixture(scope="module")
def bundled() -> Iterator[Session]:
    with closing(Session(Load(str(bundled_model()), 1024, tuning=Tuning(1)), AbortFlag())) as session:
        yield session


@pytest.fixture
async def engine(tmp_path, tiny) -> AsyncIterator[Engine]:
    made = Engine(tmp_path / "engine.log")
    await made.load(Load(str(tiny), 1024, tuning=Tuning(1)))
    yield made
    await made.close()


def under(schema: Any, sampling: Sampling) -> Sampling:
    return Sampling(
        temperature=sampling.temperature, seed=sampling.seed, max_tokens=400, json_schema=json.dumps(schema)
    )


@pytest.mark.bundled
@pytest.mark.parametrize(("schema", "check"), [(BIRD, is_bird), (TREE, is_tree)], ids=["bird", "tree"])
@pytest.mark.parametrize("sampling", [greedy(), seeded(1), seeded(2)], ids=["greedy", "drawn", "drawn again"])
def test_replies_are_what_their_schema_allows(bundled, schema, check, sampling):
    said = by_session(bundled, asked(QUESTION, sampling=under(schema, sampling)))
    if said.finished.reason == "end":
        check(json.loads(said.text))
    else:  # a list may go on for ever
        assert said.finished.reason == "length"
        assert schema is TREE


@pytest.mark.bundled
@pytest.mark.parametrize("seed", range(12))
def test_strings_hold_nothing_that_makes_them_no_json(bundled, seed):
    """Drawn from everything a model may say: line ends, quotation marks, backslashes."""
    part = {"type": "string", "minLength": 3, "maxLength": 12}
    pattern = {"type": "string", "pattern": "^.{3}[^a]{3}$"}
    schema = {"type": "object", "properties": {"part": part, "pattern": pattern}, "required": ["part", "pattern"]}
    hot = Sampling(temperature=9.0, top_k=0, top_p=1.0, min_p=0.0, seed=seed, max_tokens=200)
    said = by_session(bundled, asked(QUESTION, sampling=replace(hot, json_schema=json.dumps(schema))))
    told = json.loads(said.text)
    assert len(told["part"]) >= 1  # a pair of surrogates is two to the grammar
    assert re.fullmatch(".{3}[^a]{3}", told["pattern"])


@pytest.mark.parametrize("name", HOSTILE)
def test_schemas_made_to_harm_are_refused_in_words(name, monkeypatch):
    monkeypatch.setattr(socket, "socket", None)  # whoever connects fails otherwise than in words
    with pytest.raises(EngineError) as caught:
        grammar = grammar_of(json.dumps(HOSTILE[name]))
        pytest.fail(f"it became {grammar[:200]}") if name != "nothing to choose from" else _refuse(grammar)
    assert re.search("(correct|simplify|leave) it", str(caught.value))


def _refuse(grammar: str) -> None:
    """What llama.cpp itself refuses when it reads the grammar."""
    assert grammar.startswith("root ::= \n")
    raise EngineError("llama.cpp cannot read the grammar; simplify it")


@pytest.mark.parametrize("text", NO_SCHEMA, ids=range(len(NO_SCHEMA)))
def test_what_is_no_schema_is_refused_in_words(text):
    with pytest.raises(EngineError, match="JSON"):
        grammar_of(text)


ODD = [
    "a\\d",
    "line\nbreak",
    "C:\\new\\table",
    'a "quote"',
    "tab\t\x01",
    "grün \U0001f600",
    "half \ud83d",
    {"a\\": ['"']},
]


@pytest.mark.bundled
@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_a_value_or_a_name_of_any_characters_is_said_as_it_is(bundled, value):
    schema = {"type": "object", "properties": {str(value): {"const": value}, "b": {"enum": [value]}}}
    schema["required"] = list(schema["properties"])
    said = by_session(bundled, asked(QUESTION, sampling=under(schema, greedy())))
    assert json.loads(said.text) == {str(value): value, "b": value}


@pytest.mark.bundled
@pytest.mark.parametrize("seed", range(4))
def test_alternatives_of_a_pattern_and_of_types_are_whole(bundled, seed):
    word = {"type": "string", "pattern": "^yes|no|maybe$"}
    none = {"type": ["string", "null"], "enum": ["red", None]}
    schema = {"type": "object", "properties": {"word": word, "none": none}, "required": ["word", "none"]}
    told = json.loads(by_session(bundled, asked(QUESTION, sampling=under(schema, seeded(seed)))).text)
    assert told["word"] in ("yes", "no", "maybe")
    assert told["none"] in ("red", None)


async def test_the_log_holds_nothing_of_a_schema_that_cannot_be_read(engine, tmp_path):
    schema = {"type": "object", "properties": {"mysecret": {"enum": []}}, "required": ["mysecret"]}
    with pytest.raises(EngineError, match="simplify it"):
        await by_engine(engine, asked(QUESTION, sampling=under(schema, greedy())))
    assert "mysecret" not in (tmp_path / "engine.log").read_text(encoding="utf-8")


async def test_the_engine_refuses_and_answers_the_next_as_ever(engine):
    """Nothing hostile takes the process down or keeps it busy."""
    plain = await by_engine(engine, asked(QUESTION))
    pid = engine.pid
    for name, schema in HOSTILE.items():
        sampling = Sampling(temperature=0, max_tokens=4, json_schema=json.dumps(schema))
        with pytest.raises(EngineError) as caught:
            await by_engine(engine, asked(QUESTION, sampling=sampling))
        assert "try again" not in str(caught.value), name
    assert (await by_engine(engine, asked(QUESTION))).text == plain.text
    assert engine.pid == pid


async def test_a_grammar_and_a_schema_together_are_refused(engine):
    both = greedy(4, grammar='root ::= "a"', json_schema=json.dumps(BIRD))
    with pytest.raises(EngineError, match="contradict"):
        await by_engine(engine, asked(QUESTION, sampling=both))


@pytest.mark.parametrize(
    "pattern", ["^[0-9]{4}-[0-9]{2}$", "^[{}]{2,3}$", "^a\\{5,2\\}$", "^(ab|c){1,1000}$", "^x{3,}$"]
)
def test_honest_patterns_are_taken(pattern):
    assert grammar_of(json.dumps(string(pattern)))


@pytest.mark.parametrize("pattern", ["^[[a]$", "^[+--b]$", "^[a&&b]$", "^[a||b~~c]+$"])
def test_what_python_may_read_otherwise_one_day_is_taken_without_a_warning(pattern):
    re.purge()  # a pattern that is remembered does not warn again
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert grammar_of(json.dumps(string(pattern)))


def test_names_and_values_are_no_keywords():
    schema = {
        "type": "object",
        "properties": {"not": {"type": "null"}, "minimum": {"enum": [{"maximum": 3, "pattern": "{5,2}"}]}},
        "required": ["not"],
    }
    assert grammar_of(json.dumps(schema))
