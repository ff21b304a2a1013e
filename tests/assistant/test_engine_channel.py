"""Messages survive the pipe; anything else is a named error that repeats nothing of what came."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.channel import Decoder, ProtocolError, encode
from assistant.engine.protocol import Failed, Finished, Generate, Load, Piece, Sampling, Steer, Stop, Turn

DECODER = Decoder((Load, Steer, Generate, Stop, Piece, Finished, Failed))
text = st.text()
messages = st.one_of(
    st.builds(Piece, text),
    st.builds(Failed, text),
    st.builds(Load, text, st.integers(1, 10**6), st.none() | st.integers(1, 99), st.integers(-1, 99)),
    st.builds(Steer, st.none() | text, st.floats(allow_nan=False, allow_infinity=False)),
    st.just(Stop()),
    st.builds(
        Generate,
        st.lists(st.builds(Turn, st.sampled_from(["system", "user", "assistant"]), text)).map(tuple),
        st.builds(Sampling, seed=st.none() | st.integers(0, 2**40), stop=st.lists(text).map(tuple)),
        st.booleans(),
    ),
)


@given(messages)
def test_round_trip_is_one_line(message):
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert DECODER.decode(line) == message


@dataclass(frozen=True, slots=True)
class Report:
    where: Path
    when: datetime
    turns: tuple[Turn, ...]


def test_paths_dates_and_nested_dataclasses_survive():
    report = Report(Path("/tmp/x"), datetime(2026, 1, 2, tzinfo=UTC), (Turn("user", "hi"),))
    assert Decoder((Report,)).decode(encode(report)) == report


def test_lone_surrogates_do_not_break_the_pipe():
    assert DECODER.decode(encode(Piece("a\ud800b"))) == Piece("a?b")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"secret",
        b"[1]",
        b"null",
        b'{"text": "secret"}',
        b'{"type": ["Piece"], "text": "secret"}',
        b'{"type": "Secret"}',
        b'{"type": "Piece"}',
        b'{"type": "Piece", "text": {"secret": 1}}',
        b'{"type": "Generate", "turns": [{"role": "secret", "text": "secret"}]}',
        b'{"type": "Piece", "text": "\xff"}',
        b'{"type": "Piece", "text": "secret',
    ],
)
def test_broken_lines_are_named_and_not_repeated(line):
    with pytest.raises(ProtocolError) as caught:
        DECODER.decode(line)
    assert "secret" not in str(caught.value).lower()


@given(st.binary())
def test_no_line_raises_anything_else(line):
    with contextlib.suppress(ProtocolError):
        DECODER.decode(line)
