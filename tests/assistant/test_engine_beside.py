"""Two replies side by side; the same replies alone are the oracle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from assistant.engine.abort import AbortFlag
from assistant.engine.process import Engine
from assistant.engine.protocol import Finished, Load, Piece, Prefill, Steer, Tuning, Turn
from assistant.engine.session import Session
from assistant.errors import EngineError
from assistant.models.bundled import bundled_model
from tests.assistant.replies import asked, by_engine, by_session, greedy, seeded, sides_by_engine, sides_by_session
from tests.tiny_models import write_tiny_model, write_vector

QUESTION = asked("How do I fly a kite?", sampling=greedy(16))
DESCRIBED = (Turn("system", "Say aye."), *QUESTION.turns)


@pytest.fixture(params=["tiny", pytest.param("bundled", marks=pytest.mark.bundled)])
def session(request, tiny) -> Iterator[Session]:
    path = tiny if request.param == "tiny" else bundled_model()
    with closing(Session(Load(str(path), 1024, tuning=Tuning(1)), AbortFlag(), prefix_budget=2**26)) as made:
        yield made


@pytest.fixture
async def engine(tmp_path, tiny) -> AsyncIterator[Engine]:
    made = Engine(tmp_path / "engine.log")
    await made.load(Load(str(tiny), 2048, tuning=Tuning(1)))
    yield made
    await made.close()


@pytest.fixture(scope="module")
def vector(tmp_path_factory) -> Path:
    direction = np.random.default_rng(5).standard_normal(64) * 3
    return write_vector(tmp_path_factory.mktemp("vectors") / "vector.gguf", {1: direction})


@pytest.mark.parametrize("sampling", [greedy(16), seeded(6, 16)], ids=["greedy", "drawn"])
def test_both_are_what_they_are_alone(session, sampling):
    direction = np.random.default_rng(2).standard_normal(session.model.width).astype(np.float32) * 2
    request = replace(QUESTION, turns=DESCRIBED, sampling=sampling)
    plainly = by_session(session, replace(QUESTION, sampling=sampling))
    session.steer({session.model.blocks // 2: direction}, 1.0)
    steered = by_session(session, request)
    one, other = sides_by_session(session, replace(request, plain_turns=QUESTION.turns))
    assert (one.text, other.text) == (steered.text, plainly.text)
    assert one.text != other.text
    assert (one.finished.side, other.finished.side) == (0, 1)
    assert one.prefilled == 0
    again = by_session(session, request)
    assert (again.text, again.prefilled) == (steered.text, 0)


def test_the_first_of_both_goes_on_exactly(session):
    whole = by_session(session, replace(QUESTION, sampling=greedy(30)))
    for count in (5, 8, 13):
        both = replace(QUESTION, sampling=greedy(count), plain_turns=DESCRIBED)
        first, _ = sides_by_session(session, both)
        turns = (*QUESTION.turns, first.turn)
        rest = by_session(session, replace(QUESTION, turns=turns, sampling=greedy(30 - count), continue_last=True))
        assert first.text + rest.text == whole.text


async def test_both_come_token_by_token_and_tell_their_side(engine):
    both = replace(QUESTION, plain_turns=DESCRIBED, sampling=greedy(24))
    sides = [event.side async for event in engine.generate(both) if isinstance(event, Piece | Finished)]
    first, last = (len(sides) - 1 - sides[::-1].index(0)), sides.index(1)
    assert last < 6 < first


async def test_stop_ends_both(engine):
    endless = replace(QUESTION, plain_turns=DESCRIBED, sampling=greedy(100_000))
    finished, seen = {}, set()
    async for event in engine.generate(endless):
        if isinstance(event, Piece):
            seen.add(event.side)
            if len(seen) == 2:
                await engine.stop()
        elif isinstance(event, Finished):
            finished[event.side] = event.reason
    assert finished == {0: "stopped", 1: "stopped"}
    assert (await by_engine(engine, QUESTION)).text


async def test_stop_while_the_second_prompt_is_read_ends_both(engine, tmp_path):
    await engine.load(Load(str(write_tiny_model(tmp_path / "long.gguf", context=2**15)), 2**15, tuning=Tuning(1)))
    long = tuple(asked("many different words " * 1000).turns)
    finished, reading = {}, set()
    async for event in engine.generate(replace(QUESTION, plain_turns=long, sampling=greedy(100_000))):
        if isinstance(event, Prefill):
            reading.add(event.side)
            await engine.stop()
        elif isinstance(event, Finished):
            finished[event.side] = event
    assert reading == {1}
    assert {side: event.reason for side, event in finished.items()} == {0: "stopped", 1: "stopped"}
    assert finished[1].reply_tokens == 0


async def test_a_second_prompt_that_cannot_be_answered_is_told_and_the_engine_goes_on(engine, vector):
    await engine.steer(Steer(str(vector)))
    alone = await by_engine(engine, QUESTION)
    pid = engine.pid
    for wrong in (asked("far too long " * 2000).turns, (Turn("user", "é" * 3000),)):
        with pytest.raises(EngineError, match="shorten it"):
            await sides_by_engine(engine, replace(QUESTION, plain_turns=wrong))
        again = await by_engine(engine, QUESTION)
        assert (again.text, again.prefilled, engine.pid) == (alone.text, 0, pid)


async def test_the_second_window_is_given_back(engine, tmp_path):
    """A window of 32,768 tokens of a wider model takes 100 MB."""
    path = write_tiny_model(tmp_path / "wide.gguf", width=512, context=2**15)
    await engine.load(Load(str(path), 2**15, tuning=Tuning(1)))
    process = psutil.Process(engine.pid)
    await by_engine(engine, QUESTION)
    before = process.memory_info().rss
    endless = replace(QUESTION, plain_turns=DESCRIBED, sampling=greedy(100_000))
    for _ in range(4):
        most, seen = 0, set()
        async for event in engine.generate(endless):
            if isinstance(event, Piece) and event.side not in seen:
                seen.add(event.side)
                most = max(most, process.memory_info().rss)
                if len(seen) == 2:
                    await engine.stop()
        assert most > before + 60 * 2**20
        await by_engine(engine, QUESTION)  # answered only after the one before is over
        assert process.memory_info().rss < before + 8 * 2**20
