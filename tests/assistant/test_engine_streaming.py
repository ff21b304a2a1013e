"""Streamed text against Python's own decoding of the whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.engine.streaming import Given, TextStream

chunks = st.lists(st.integers(1, 5), min_size=1)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        pieces.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


def stream(pieces: list[bytes], stops: tuple[str, ...] = ()) -> list[str]:
    text = TextStream(stops)
    return [*(text.push(piece).text for piece in pieces), text.finish().text]


@given(st.text(), chunks)
def test_whole_characters_whatever_the_cuts(text, sizes):
    data = text.encode("utf-8", "replace")
    given_out = stream(cut(data, sizes))
    assert "".join(given_out) == data.decode()
    for piece in given_out:
        piece.encode()  # no half of a character


@given(st.text("ab\n:é"), st.lists(st.text("ab\n:é", min_size=1, max_size=3), max_size=3), chunks)
def test_nothing_of_a_stop_string_is_ever_shown(text, stops, sizes):
    found = [text.find(stop) for stop in stops if stop in text]
    first = text[: min(found)] if found else text
    given_out = "".join(stream(cut(text.encode(), sizes), tuple(stops)))
    if len(stops) <= 1 or not found:
        assert given_out == first
    else:  # the stop that is complete first wins, and may begin later
        assert text.startswith(given_out)
        assert not any(stop in given_out for stop in stops)


def test_text_before_a_stop_string_is_not_held_back_longer_than_needed():
    text = TextStream(("\nUser:",))
    assert text.push(b"Hi\nUs").text == "Hi"
    assert text.push(b"e ").text == "\nUse "
    assert text.push(b"\nUser: more").text == ""
    assert text.stopped
    assert text.push(b"x") == text.finish() == Given()


def test_unfinished_character_at_the_end_is_dropped_and_comes_where_the_stream_goes_on():
    text = TextStream()
    assert text.push("é🎌".encode()[:-1]).text == "é"
    assert text.finish() == Given()
    assert text.again(()).push("🎌".encode()[-1:]).text == "🎌"


def test_bytes_that_are_no_utf8_are_shown_as_such():
    assert "".join(stream([b"a\xff", b"b"])) == "a\ufffdb"
