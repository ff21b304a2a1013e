"""What the engine writes, and when: the pipe's bytes read back by the app's decoder."""

from __future__ import annotations

import io
import threading

from assistant.channel import Decoder
from assistant.engine.outbox import TOGETHER_SECONDS, Outbox
from assistant.engine.protocol import Beat, Event, Piece, Thought, TokenLogprob


class Clock:
    """A clock that stands still until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def written(stream: io.BytesIO) -> list[Event]:
    decoder: Decoder[Event] = Decoder((Beat, Piece, Thought))
    return [decoder.decode(line) for line in stream.getvalue().splitlines()]


def test_the_first_text_goes_at_once_and_what_follows_at_once_goes_together() -> None:
    stream, clock = io.BytesIO(), Clock()
    outbox = Outbox(stream, clock)
    outbox.put(Piece("one"))
    assert written(stream) == [Piece("one")]
    outbox.put(Piece(" two"))
    outbox.put(Piece(" three"))
    assert written(stream) == [Piece("one")]
    clock.now += TOGETHER_SECONDS
    outbox.put(Piece(" four"))
    assert written(stream) == [Piece("one"), Piece(" two three four")]


def test_text_that_is_slow_never_waits() -> None:
    stream, clock = io.BytesIO(), Clock()
    outbox = Outbox(stream, clock)
    for count, text in enumerate("abc", 1):
        outbox.put(Piece(text))
        assert len(written(stream)) == count
        clock.now += TOGETHER_SECONDS


def test_what_is_no_text_takes_what_waits_along_in_order() -> None:
    stream = io.BytesIO()
    outbox = Outbox(stream, Clock())
    events: list[Event] = [Piece("a"), Thought("b"), Thought("c"), Piece("d"), Piece("e", 1), Piece("f", 1), Beat()]
    for event in events:
        outbox.put(event)
    assert written(stream) == [Piece("a"), Thought("bc"), Piece("d"), Piece("ef", 1), Beat()]


def test_the_logprobs_of_joined_text_stay_with_it() -> None:
    stream = io.BytesIO()
    outbox = Outbox(stream, Clock())
    one, two = TokenLogprob("a", -1.0, ()), TokenLogprob("b", -2.0, ())
    for event in (Piece("-"), Piece("a", 0, (one,)), Piece("b", 0, (two,)), Beat()):
        outbox.put(event)
    assert written(stream)[1] == Piece("ab", 0, (one, two))


def test_lines_of_several_threads_stay_whole() -> None:
    stream = io.BytesIO()
    outbox = Outbox(stream)
    threads = [threading.Thread(target=lambda: [outbox.put(Beat()) for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written(stream) == [Beat()] * 800
