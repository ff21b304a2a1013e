"""Thoughts apart from replies, whatever the pieces; a regular expression over the whole text is the oracle."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.engine.abort import AbortFlag
from assistant.engine.protocol import Generate, Load, Tuning, Turn
from assistant.engine.reasoning import CLOSE, MARKS, OPEN, ReasoningSplit, opening
from assistant.engine.session import Session
from assistant.engine.streaming import TextStream
from tests.assistant.replies import Said, by_session, greedy, seeded
from tests.tiny_models import CHAT_TEMPLATE, write_tiny_model

OPENING_TEMPLATE = CHAT_TEMPLATE.replace("assistant\n'", "assistant\n<think>\n'")
QUESTION = Turn("user", "hello you and the user")

written = st.lists(st.sampled_from([*MARKS, "<", "<thi", "nk>", "</", "\n", " ", "a", "é", "so "]), max_size=12).map(
    "".join
)
cuts = st.lists(st.integers(1, 7), min_size=1, max_size=8)


def oracle(text: str, *, thinking: bool) -> tuple[str, str]:
    """Thought and reply of a whole text; the beginning of a mark at the very end of a thought waits for its rest."""
    if not thinking:
        begun = re.match(rf"\s*{OPEN}", text)
        if not begun:
            return "", text
        text = text[begun.end() :]
    thought, mark, reply = text.partition(CLOSE)
    if not mark:
        thought = re.sub(r"<(/(t(h(i(n(k)?)?)?)?)?)?\Z", "", thought)
    return thought, reply.lstrip("\n")


def pieces(text: str, sizes: list[int]) -> Iterator[str]:
    at, turn = 0, 0
    while at < len(text):
        yield text[at : at + sizes[turn % len(sizes)]]
        at, turn = at + sizes[turn % len(sizes)], turn + 1


def split(text: str, sizes: list[int], **state) -> tuple[str, str]:
    apart = ReasoningSplit(**state)
    given_out = [*(apart.push(piece) for piece in pieces(text, sizes)), apart.finish()]
    return "".join(thought for thought, _ in given_out), "".join(reply for _, reply in given_out)


@given(written, cuts, st.booleans())
def test_any_pieces_give_the_thought_and_the_reply_of_the_whole(text, sizes, thinking):
    assert split(text, sizes, thinking=thinking) == oracle(text, thinking=thinking)


@given(st.text(), st.text("xyz\n é"), cuts, st.booleans())
def test_a_thought_and_a_reply_come_back_without_their_marks(thought, reply, sizes, opened):
    thought = thought.replace("<", "")
    text = f"{'' if opened else OPEN}{thought}{CLOSE}\n\n{reply}"
    assert split(text, sizes, thinking=opened) == (thought, reply.lstrip("\n"))


@given(written, cuts)
def test_a_reply_that_has_begun_holds_no_marks(text, sizes):
    assert split(text, sizes, replying=True) == ("", text)


@given(written, cuts, st.booleans(), st.integers(1, 3))
def test_bytes_in_any_pieces_and_stops_that_act_in_replies_only(text, sizes, thinking, length):
    """The stop string stands in the thought as well as in the reply."""
    stop = "so "[:length]
    thought, reply = oracle(text, thinking=thinking)
    stream = TextStream((stop,), ReasoningSplit(thinking=thinking))
    data = text.encode()
    given_out = [
        *(stream.push(data[at : at + sizes[0]]) for at in range(0, len(data), sizes[0])),
        stream.finish(),
    ]
    assert "".join(part.text for part in given_out) == reply.partition(stop)[0]
    assert "".join(part.thought for part in given_out) == thought


def test_nothing_certain_is_held_back():
    apart = ReasoningSplit()
    assert apart.push("Hi") == ("", "Hi")
    apart = ReasoningSplit()
    assert [apart.push(piece) for piece in ("\n<th", "ink>so", " it </thin", "gs</think>", "\n", "\nHi")] == [
        ("", ""),
        ("so", ""),
        (" it ", ""),
        ("</things", ""),
        ("", ""),
        ("", "Hi"),
    ]


@given(st.text(min_size=1), st.text("abc"), st.booleans())
def test_an_opening_is_split_again_into_what_it_was_made_of(thought, reply, opened):
    thought = thought.replace("<", "")
    text = "".join(part.text for part in opening(thought, reply, opened=opened))
    assert oracle(text, thinking=opened) == (thought, reply)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("thinkers")


def open_session(folder: Path, name: str, **changes) -> Session:
    path = folder / f"{name}.gguf"
    if not path.exists():
        write_tiny_model(path, **changes)
    return Session(Load(str(path), 1024, tuning=Tuning(1)), AbortFlag(), prefix_budget=2**24)


@pytest.fixture
def opened(folder) -> Iterator[Session]:
    """Its template begins the thoughts; it never ends them by itself."""
    with closing(open_session(folder, "opened", chat_template=OPENING_TEMPLATE)) as session:
        yield session


@pytest.fixture
def marked(folder) -> Iterator[Session]:
    """Its marks are control tokens."""
    changes = {"specials": MARKS, "chat_template": OPENING_TEMPLATE}
    with closing(open_session(folder, "marked", **changes)) as session:
        yield session


def going_on(said: Said, length: int) -> Generate:
    return Generate((QUESTION, said.turn), greedy(length), continue_last=True)


def test_a_template_that_begins_the_thoughts_makes_everything_thought_until_their_end(opened):
    said = by_session(opened, Generate((QUESTION,), greedy(20)))
    assert (said.text, said.finished.reasoning_tokens) == ("", 20)
    assert said.thought
    assert OPEN not in said.thought


def test_a_person_who_writes_the_mark_begins_no_thoughts(folder):
    with closing(open_session(folder, "plain")) as session:
        said = by_session(session, Generate((Turn("user", f"what is {OPEN}"),), greedy(12)))
        assert said.text
        assert (said.thought, said.finished.reasoning_tokens) == ("", 0)


def test_thoughts_of_earlier_replies_are_not_read_again(opened):
    turns = (QUESTION, Turn("assistant", "hello", "the secret"), Turn("user", "and?"))
    bare = tuple(replace(turn, reasoning="") for turn in turns)
    assert opened.encode(turns) == opened.encode(bare)


@pytest.mark.parametrize("which", ["opened", "marked"])
def test_a_reply_goes_on_exactly_in_the_middle_of_its_thoughts(which, request):
    session = request.getfixturevalue(which)
    whole = by_session(session, Generate((QUESTION,), greedy(30)))
    for count in range(1, 29):
        first = by_session(session, Generate((QUESTION,), greedy(count)))
        rest = by_session(session, going_on(first, 30 - count))
        assert first.finished.context_used == rest.finished.prompt_tokens
        assert (first.thought + rest.thought, first.text + rest.text) == (whole.thought, whole.text)


def test_a_reply_goes_on_exactly_after_its_thoughts(opened):
    grammar = r'root ::= "abcabc</think>\n\n" [a-z ]{24}'
    whole = by_session(opened, Generate((QUESTION,), greedy(80, grammar=grammar)))
    assert whole.thought == "abcabc"
    assert re.fullmatch("[a-z ]{24}", whole.text)
    for count in range(1, whole.finished.reply_tokens - 1):
        first = by_session(opened, Generate((QUESTION,), greedy(count, grammar=grammar)))
        again = replace(going_on(first, 80), sampling=greedy(80, grammar=grammar))
        rest = by_session(opened, again)
        assert (first.thought + rest.thought, first.text + rest.text) == (whole.thought, whole.text)
        if first.text:  # on another day only the text is there; its tokens may be others
            opened.drawn = None
            rest = by_session(opened, again)
            assert rest.thought == ""
            assert re.fullmatch("[a-z ]{24}", first.text + rest.text)


def test_marks_that_are_control_tokens_are_read_as_such_where_a_reply_goes_on(marked):
    """On another day the tokens that were drawn are not remembered any more."""
    [open_token], [close_token] = (marked.model.tokenize(mark, parse_special=True) for mark in MARKS)
    tokens = marked.encode_opening(opening("the end", "hello", opened=True))
    assert tokens.count(close_token) == 1
    assert b"".join(map(marked.model.piece, tokens)) == b"the end</think>\n\nhello"
    forged = opening("", f"what is {OPEN}x{CLOSE}", opened=False)
    tokens = marked.encode_opening(forged)
    assert not {open_token, close_token} & set(tokens)
    assert marked.begins_thinking(marked.encode([QUESTION]))


def test_marks_of_the_model_itself_are_told_from_its_reply(folder):
    grammar = r'root ::= "<think>ab" [a-f]{4} "</think>\n\n" [a-z]{8}'
    with closing(open_session(folder, "plain")) as session:
        for sampling in (greedy(80, grammar=grammar), seeded(3, 80, grammar=grammar)):
            said = by_session(session, Generate((QUESTION,), sampling))
            assert re.fullmatch("ab[a-f]{4}", said.thought)
            assert re.fullmatch("[a-z]{8}", said.text)
            assert 0 < said.finished.reasoning_tokens < said.finished.reply_tokens


def test_a_stop_string_in_the_thoughts_does_not_end_the_reply(folder):
    grammar = r'root ::= "<think>one stop two</think>\n\nthree stop four"'
    with closing(open_session(folder, "plain")) as session:
        said = by_session(session, Generate((QUESTION,), greedy(80, grammar=grammar, stop=("stop",))))
    assert (said.thought, said.text) == ("one stop two", "three ")
    assert said.finished.reason == "end"


SCHEMA = json.dumps({"type": "object", "properties": {"a": {"const": "abcabcabc"}}, "required": ["a"]})


@pytest.mark.parametrize("which", ["opened", "marked"])
def test_what_follows_a_schema_is_the_reply_and_no_thought(which, request):
    session = request.getfixturevalue(which)
    under = greedy(80, json_schema=SCHEMA)
    whole = by_session(session, Generate((QUESTION,), under))
    assert json.loads(whole.text) == {"a": "abcabcabc"}
    assert (whole.thought, whole.finished.reasoning_tokens) == ("", 0)
    for count in range(1, whole.finished.reply_tokens):
        first = by_session(session, Generate((QUESTION,), replace(under, max_tokens=count)))
        rest = by_session(session, replace(going_on(first, 80), sampling=under))
        assert first.text + rest.text == whole.text
        assert first.finished.context_used == rest.finished.prompt_tokens


@pytest.mark.parametrize("which", ["opened", "marked"])
def test_a_thought_that_was_broken_off_is_ended_where_a_schema_comes(which, request):
    session = request.getfixturevalue(which)
    first = by_session(session, Generate((QUESTION,), greedy(5)))
    rest = by_session(session, replace(going_on(first, 80), sampling=greedy(80, json_schema=SCHEMA)))
    assert (json.loads(rest.text), rest.thought) == ({"a": "abcabcabc"}, "")
