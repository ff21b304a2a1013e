"""An engine that hangs, is deaf, is slow or dies; the app says so in words and the next call works."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from assistant.engine import process
from assistant.engine.abort import AbortFlag
from assistant.engine.process import Engine
from assistant.engine.protocol import Load, Piece, Steer, Tuning, Turn
from assistant.engine.session import Session
from assistant.errors import EngineError
from tests.assistant.replies import asked, by_engine, greedy
from tests.tiny_models import CHAT_TEMPLATE, write_tiny_model, write_vector

QUESTION = asked("hello you and the user")
ENDLESS = asked("hello you and the user", sampling=greedy(100_000))
TUNING = Tuning(1)


@pytest.fixture
async def engine(tmp_path, tiny) -> AsyncIterator[Engine]:
    made = Engine(tmp_path / "engine.log")
    await made.load(Load(str(tiny), 2048, tuning=TUNING))
    yield made
    await made.close()


@pytest.fixture
def vector(tmp_path) -> Path:
    return write_vector(tmp_path / "vector.gguf", {1: np.random.default_rng(5).standard_normal(64) * 3})


@pytest.fixture
async def odd(request, tmp_path, tiny, monkeypatch) -> AsyncIterator[Engine]:
    """An engine with the fault that the test is parametrized with."""
    monkeypatch.setenv("ODD_WORKER", request.param)
    monkeypatch.setattr(process, "MODULE", "tests.assistant.odd_worker")
    made = Engine(tmp_path / "engine.log")
    await made.load(Load(str(tiny), 2048, tuning=TUNING))
    yield made
    await made.close()


async def kill(engine: Engine, sign: signal.Signals = signal.SIGKILL) -> None:
    os.kill(engine.pid, sign)
    while engine.pid is not None:
        await asyncio.sleep(0)


async def test_an_engine_that_hangs_in_a_reply_is_ended_and_the_next_call_works(engine, monkeypatch):
    whole, pid, seen = await by_engine(engine, QUESTION), engine.pid, ""
    with monkeypatch.context() as patch, pytest.raises(EngineError, match=r"hung for .* s and was ended; try again"):
        async for event in engine.generate(ENDLESS):
            if isinstance(event, Piece):
                seen += event.text
                os.kill(pid, signal.SIGSTOP)
                patch.setattr(process, "HANG_SECONDS", 0.4)
    assert seen
    assert (await by_engine(engine, QUESTION)).text == whole.text
    assert engine.pid != pid


@pytest.mark.parametrize("size", [10, 4_000_000], ids=["short", "more than pipes hold"])
async def test_an_engine_that_hangs_before_it_is_asked_is_ended(engine, monkeypatch, size):
    whole, pid = await by_engine(engine, QUESTION), engine.pid
    os.kill(pid, signal.SIGSTOP)
    with monkeypatch.context() as patch, pytest.raises(EngineError, match="hung"):
        patch.setattr(process, "HANG_SECONDS", 0.4)
        await by_engine(engine, asked("x" * size))
    assert (await by_engine(engine, QUESTION)).text == whole.text
    assert engine.pid != pid


async def test_an_app_that_was_stopped_itself_blames_nobody(engine, monkeypatch):
    """One silence is not enough: after it the engine has its turn to speak."""
    monkeypatch.setattr(process, "HANG_SECONDS", 3.0)
    pid, frozen = engine.pid, False
    async for event in engine.generate(asked("hello", sampling=greedy(60))):
        if isinstance(event, Piece) and not frozen:
            frozen = True
            os.kill(pid, signal.SIGSTOP)
            asyncio.get_running_loop().call_later(2.0, os.kill, pid, signal.SIGCONT)
    assert frozen
    assert engine.pid == pid


@pytest.mark.parametrize("odd", ["deaf"], indirect=True)
async def test_an_engine_that_does_not_stop_is_ended_and_what_came_is_kept(odd, monkeypatch):
    whole, pid, seen = await by_engine(odd, QUESTION), odd.pid, ""
    with monkeypatch.context() as patch, pytest.raises(EngineError, match="killed by signal 9"):
        patch.setattr(process, "STOP_SECONDS", 0.2)
        async for event in odd.generate(ENDLESS):
            if isinstance(event, Piece):
                seen += event.text
                await odd.stop()
    assert seen
    assert (await by_engine(odd, QUESTION)).text == whole.text
    assert odd.pid != pid


@pytest.mark.parametrize("odd", ["deaf"], indirect=True)
async def test_an_iterator_that_is_left_ends_an_engine_that_does_not_stop(odd, monkeypatch):
    pid = odd.pid
    with monkeypatch.context() as patch:
        patch.setattr(process, "STOP_SECONDS", 0.2)
        events = odd.generate(ENDLESS)
        await anext(events)
        await events.aclose()
    assert (await by_engine(odd, QUESTION)).text
    assert odd.pid != pid


async def test_an_engine_that_stopped_when_asked_is_left_alone_later(engine, monkeypatch):
    """However often and however late it was asked."""
    loop, timers = asyncio.get_running_loop(), []
    call_later = loop.call_later
    monkeypatch.setattr(loop, "call_later", lambda *call: timers.append(call_later(*call)) or timers[-1])
    async for event in engine.generate(ENDLESS):
        if isinstance(event, Piece):
            await asyncio.gather(engine.stop(), engine.stop(), engine.stop())
    await engine.stop()
    late = engine.generate(asked("hello", sampling=greedy(1)))
    await asyncio.gather(*[anext(late), engine.stop()])
    stopping = asyncio.create_task(engine.stop())
    async for _ in late:
        pass
    await stopping
    assert timers
    assert all(timer.cancelled() for timer in timers)


@pytest.mark.parametrize("odd", ["slow"], indirect=True)
async def test_a_long_silence_is_no_hang_while_the_engine_says_that_it_lives(odd, tiny, monkeypatch):
    pid = odd.pid
    monkeypatch.setattr(process, "HANG_SECONDS", 2.4)
    await by_engine(odd, asked("many words " * 60))
    await odd.load(Load(str(tiny), 512, tuning=TUNING))
    assert odd.pid == pid


@pytest.mark.parametrize("odd", ["mute"], indirect=True)
async def test_without_a_sign_of_life_the_same_silence_is_a_hang(odd, tiny, monkeypatch):
    monkeypatch.setattr(process, "HANG_SECONDS", 1.0)
    with pytest.raises(EngineError, match="hung"):
        await odd.load(Load(str(tiny), 512, tuning=TUNING))


@pytest.mark.parametrize("odd", ["late"], indirect=True)
async def test_an_engine_whose_imports_take_long_is_waited_for(odd, tiny, monkeypatch):
    monkeypatch.setattr(process, "HANG_SECONDS", 1.0)
    await kill(odd)
    await odd.start()
    pid = odd.pid
    assert (await by_engine(odd, QUESTION)).text
    assert odd.pid == pid


async def test_an_engine_that_hangs_in_its_imports_is_ended(tmp_path, tiny, monkeypatch):
    monkeypatch.setenv("ODD_WORKER", "stuck")
    monkeypatch.setattr(process, "MODULE", "tests.assistant.odd_worker")
    monkeypatch.setattr(process, "HANG_SECONDS", 1.0)
    engine = Engine(tmp_path / "engine.log")
    with pytest.raises(EngineError, match="hung"):
        await engine.load(Load(str(tiny), 2048, tuning=TUNING))
    assert engine.pid is None
    await engine.close()


async def test_started_again_after_a_crash_it_has_its_model_and_vector(engine, vector):
    await engine.steer(Steer(str(vector)))
    steered = await by_engine(engine, QUESTION)
    await kill(engine)
    await engine.start()
    assert (await by_engine(engine, QUESTION)).text == steered.text


async def test_a_vector_that_is_gone_after_a_crash_is_told_each_time_and_nothing_is_answered_without_it(engine, vector):
    plain = await by_engine(engine, QUESTION)
    await engine.steer(Steer(str(vector)))
    steered = await by_engine(engine, QUESTION)
    assert steered.text != plain.text
    kept = vector.rename(vector.with_name("elsewhere.gguf"))
    await kill(engine)
    for _ in range(2):
        with pytest.raises(EngineError, match="cannot be read as a GGUF control vector"):
            await by_engine(engine, QUESTION)
    kept.rename(vector)
    assert (await by_engine(engine, QUESTION)).text == steered.text


async def test_crashes_in_a_row_end_with_a_reply(engine):
    whole = await by_engine(engine, QUESTION)
    for sign in (signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM):
        with pytest.raises(EngineError, match="signal"):
            async for event in engine.generate(ENDLESS):
                if isinstance(event, Piece) and engine.pid:
                    os.kill(engine.pid, sign)
    assert (await by_engine(engine, QUESTION)).text == whole.text


def test_a_load_that_fails_half_way_keeps_no_memory(tmp_path):
    path = write_tiny_model(tmp_path / "broken.gguf", chat_template="{% for %}")
    with pytest.raises(EngineError, match="cannot be read"):
        Session(Load(str(path), 512, tuning=TUNING), AbortFlag())
    assert str(path) not in Path("/proc/self/maps").read_text(encoding="utf-8")
    path = write_tiny_model(tmp_path / "whole.gguf", chat_template=CHAT_TEMPLATE)
    session = Session(Load(str(path), 512, tuning=TUNING), AbortFlag())
    assert str(path) in Path("/proc/self/maps").read_text(encoding="utf-8")
    session.close()


async def test_a_prompt_that_was_stopped_goes_on_from_what_was_read(engine, tmp_path):
    path = write_tiny_model(tmp_path / "long.gguf", context=2**15)
    await engine.load(Load(str(path), 2**15, tuning=Tuning(1, batch_tokens=64)))
    long = asked("many different words " * 300)
    events = engine.generate(long)
    last = await anext(events)
    reading = [last]
    async for last in events:
        reading.append(last)
        if len(reading) == 20:
            await engine.stop()
    assert (last.reason, last.reply_tokens) == ("stopped", 0)
    assert 64 * 18 <= last.prefilled_tokens < last.prompt_tokens
    again = await by_engine(engine, long)
    assert again.prefilled == last.prompt_tokens - last.prefilled_tokens
    await engine.load(Load(str(path), 2**15, tuning=Tuning(1, batch_tokens=64)))
    assert (await by_engine(engine, long)).text == again.text


@pytest.mark.parametrize("stopped_first", [True, False])
async def test_another_conversation_after_a_stopped_prompt_is_answered_as_ever(engine, stopped_first):
    other = asked("and the other", "yes", "no?")
    whole = (await by_engine(engine, other)).text
    if stopped_first:
        events = engine.generate(asked("many different words " * 80, sampling=greedy(100_000)))
        await anext(events)
        await events.aclose()
    assert (await by_engine(engine, other)).text == whole
    assert (await by_engine(engine, asked("x", sampling=greedy(3)))).finished.reason == "length"


async def test_a_model_that_is_gone_is_told_each_time_until_another_is_loaded(engine, tiny, tmp_path):
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(tiny.read_bytes())
    await engine.load(Load(str(copy), 512, tuning=TUNING))
    copy.unlink()
    await kill(engine)
    for _ in range(2):
        with pytest.raises(EngineError, match=r"copy\.gguf"):
            await by_engine(engine, QUESTION)
    await engine.load(Load(str(tiny), 512, tuning=TUNING))
    turns = (*QUESTION.turns, Turn("assistant", "yes"), Turn("user", "no"))
    assert (await by_engine(engine, asked(*(turn.text for turn in turns)))).text
