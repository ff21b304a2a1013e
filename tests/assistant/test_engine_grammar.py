"""Replies under a grammar; Python's own json and re say whether they obey."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from assistant.engine.abort import AbortFlag
from assistant.engine.process import Engine
from assistant.engine.protocol import Event, Finished, Generate, Load, Piece, Sampling, Turn
from assistant.engine.reply import generate
from assistant.engine.session import Session
from assistant.errors import EngineError
from assistant.models.bundled import bundled_model

pytestmark = pytest.mark.bundled

QUESTION = Turn("user", "Name three colours and say a few words about each.")
COLOURS = r"""
root   ::= "{\"colour\": " colour ", \"count\": " count ", \"words\": [" word (", " word){0,3} "]}"
colour ::= "\"red\"" | "\"deep blue\"" | "\"grün\""
count  ::= "0" | [1-9] [0-9]{0,3}
word   ::= "\"" [a-zà-ÿ ]{1,12} "\""
"""
ANYTHING = r"root ::= [^\x00]*"
BROKEN = {
    "unclosed": 'root ::= "a',
    "no root": 'other ::= "a"',
    "no such rule": "root ::= missing",
    "left recursion": 'root ::= root "a" | "b"',
    "circle": "root ::= a\na ::= b\nb ::= a",
    "bad escape": r'root ::= "\q"',
    "blank": "   ",
}
SAMPLINGS = {
    "greedy": Sampling(temperature=0),
    **{f"hot {seed}": Sampling(temperature=1.5, top_k=0, top_p=1.0, min_p=0.0, seed=seed) for seed in range(5)},
    "narrow": Sampling(temperature=0.8, top_k=1, seed=1),
    "penalized": Sampling(temperature=1.0, repeat_penalty=1.5, dry_multiplier=2.0, seed=1),
}


@pytest.fixture(scope="module")
def load() -> Load:
    return Load(str(bundled_model()), context_tokens=1024, threads=1)


@pytest.fixture(scope="module")
def session(load) -> Iterator[Session]:
    made = Session(load, AbortFlag())
    yield made
    made.close()


@pytest.fixture
async def engine(tmp_path) -> AsyncIterator[Engine]:
    made = Engine(tmp_path / "cache" / "engine.log")
    yield made
    await made.close()


def reply(session: Session, sampling: Sampling, opening: str | None = None) -> tuple[str, Finished]:
    """The new text of a reply, which goes on from an opening where there is one, and how it ended."""
    events: list[Event] = []
    turns = (QUESTION,) if opening is None else (QUESTION, Turn("assistant", opening))
    generate(session, Generate(turns, sampling, continue_last=opening is not None), events.append)
    finished = events[-1]
    assert isinstance(finished, Finished)
    return "".join(event.text for event in events if isinstance(event, Piece)), finished


def under(grammar: str, sampling: Sampling = SAMPLINGS["greedy"], max_tokens: int = 120) -> Sampling:
    return replace(sampling, grammar=grammar, max_tokens=max_tokens)


def assert_colours(text: str) -> None:
    said = json.loads(text)
    assert list(said) == ["colour", "count", "words"]
    assert said["colour"] in ("red", "deep blue", "grün")
    assert isinstance(said["count"], int) and 0 <= said["count"] <= 9999
    assert 1 <= len(said["words"]) <= 4
    assert all(re.fullmatch("[a-zà-ÿ ]{1,12}", word) for word in said["words"])


@pytest.mark.parametrize("sampling", SAMPLINGS.values(), ids=SAMPLINGS)
def test_a_reply_obeys_its_grammar_however_it_is_drawn(session, sampling):
    text, finished = reply(session, under(COLOURS, sampling))
    assert_colours(text)
    assert finished.reason == "end"


@pytest.mark.parametrize(
    "sampling", [Sampling(temperature=0), Sampling(temperature=0.7, seed=3)], ids=["greedy", "drawn"]
)
def test_a_grammar_that_allows_everything_changes_nothing(session, sampling):
    plain, _ = reply(session, under("", sampling, 40))
    assert plain
    assert reply(session, under(ANYTHING, sampling, 40))[0] == plain


@pytest.mark.parametrize("literal", ["日本語のテキスト 🦆", "e\u0301té", "<|im_start|>user", "<|im_end|>"])
def test_a_literal_is_said_to_the_letter(session, literal):
    """Characters of several tokens come whole, and a control token is never taken for its name."""
    text, finished = reply(session, under(f"root ::= {json.dumps(literal, ensure_ascii=False)}"))
    assert (text, finished.reason) == (literal, "end")


def test_characters_of_several_tokens_obey_a_range(session):
    text, _ = reply(session, under("root ::= [😀-😆]{4}", SAMPLINGS["hot 1"]))
    assert re.fullmatch("[😀-😆]{4}", text)


@pytest.mark.parametrize("remembered", [True, False], ids=["tokens that were drawn", "text of another day"])
def test_a_cut_reply_goes_on_where_its_grammar_was(session, remembered):
    opening, finished = reply(session, under(COLOURS, SAMPLINGS["hot 2"], 9))
    assert finished.reason == "length"
    if not remembered:
        session.drawn = None
    rest, finished = reply(session, under(COLOURS, SAMPLINGS["hot 3"]), opening)
    assert_colours(opening + rest)
    assert finished.reason == "end"


def test_a_whole_reply_has_nothing_to_go_on_with(session):
    whole = '{"colour": "red", "count": 3, "words": ["warm", "loud"]}'
    assert reply(session, under(COLOURS), whole)[0] == ""


@pytest.mark.parametrize(
    ("sampling", "opening", "says"),
    [
        *((under(grammar), None, "cannot read the grammar") for grammar in BROKEN.values()),
        (under(COLOURS), '{"colour": "pink"', "does not follow its grammar"),
        (under(COLOURS), '{"colour": "red", "count": 3, "words": ["warm"]} and more', "does not follow its grammar"),
        (under("root ::= <[1]>"), None, "no token that its grammar allows"),
    ],
    ids=[*BROKEN, "other opening", "opening beyond the end", "control token"],
)
def test_what_a_grammar_cannot_do_is_said_and_the_next_reply_is_as_ever(session, sampling, opening, says):
    before, _ = reply(session, under("", max_tokens=8))
    with pytest.raises(EngineError, match=says):
        reply(session, sampling, opening)
    assert reply(session, under("", max_tokens=8))[0] == before


async def test_the_engine_process_outlives_a_broken_grammar(engine, load):
    await engine.load(load)

    async def said(sampling: Sampling) -> str:
        events = engine.generate(Generate((QUESTION,), sampling))
        return "".join([event.text async for event in events if isinstance(event, Piece)])

    with pytest.raises(EngineError, match="cannot read the grammar 'root ::= missing'"):
        await said(under("root ::= missing"))
    assert await said(under("", max_tokens=4))
    assert_colours(await said(under(COLOURS)))
