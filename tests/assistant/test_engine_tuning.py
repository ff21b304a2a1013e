"""How the engine computes: chosen by measurement, never slower than the start, and close to the same numbers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import closing
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.engine import session as sessions
from assistant.engine.abort import AbortFlag
from assistant.engine.llama import LlamaContext, LlamaModel
from assistant.engine.machine import logical_cores, physical_cores
from assistant.engine.pace import Neighbours, Pace
from assistant.engine.process import Engine
from assistant.engine.protocol import Load, Tuning
from assistant.engine.session import Session
from assistant.engine.tuning import OtherWork, choose, looked_up, thread_counts, tune
from assistant.models.bundled import bundled_model
from tests.assistant.replies import asked, by_engine

FAR = float("inf")
tunings = st.builds(
    Tuning,
    threads=st.integers(1, 8),
    flash_attention=st.sampled_from([None, True, False]),
    kv_type=st.sampled_from(["f16", "q8_0"]),
)


class Machine:
    """Takes a made-up, fixed time for each tuning."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.asked: list[Tuning] = []

    def seconds(self, tuning: Tuning, prompt: bool) -> float:
        parts = (tuning.prompt_threads or tuning.threads, tuning.batch_tokens) if prompt else (tuning.threads,)
        key = abs(hash((*parts, tuning.flash_attention, prompt, self._seed)))
        return 0.5 + np.random.default_rng(key).random()

    def __call__(self, tuning: Tuning, prompt: bool) -> float:
        self.asked.append(tuning)
        return self.seconds(tuning, prompt)


@given(st.integers(0, 10**6), tunings, st.sets(st.integers(1, 8), max_size=4))
def test_what_is_chosen_is_never_slower_than_the_start(seed, start, threads):
    machine = Machine(seed)
    found = choose(machine, start, sorted(threads), FAR)
    assert machine.seconds(found, False) <= machine.seconds(start, False)
    assert found.threads in {start.threads, *threads}
    assert found.kv_type == start.kv_type
    assert not (found.kv_type == "q8_0" and found.flash_attention is False and start.flash_attention is not False)
    if machine.seconds(found, False) == machine.seconds(start, False):
        assert machine.seconds(found, True) <= machine.seconds(start, True)


@given(st.integers(0, 10**6), tunings)
def test_given_threads_stay(seed, start):
    found = choose(Machine(seed), start, (), FAR)
    assert (found.threads, found.prompt_threads) == (start.threads, start.prompt_threads)


@given(tunings, st.sets(st.integers(1, 8), max_size=4))
def test_after_the_deadline_nothing_is_measured(start, threads):
    machine = Machine(1)
    assert choose(machine, start, threads, time.monotonic() - 1) == start
    assert machine.asked == []


def test_a_choice_that_is_not_clearly_faster_each_time_is_not_made():
    """One lucky round does not choose."""
    lucky = iter([0.1, 2.0] * 20)
    start = Tuning(2)
    assert choose(lambda tuning, prompt: 1.0 if tuning == start else next(lucky), start, (1,), FAR) == start
    assert choose(lambda tuning, prompt: 1.0 if tuning == start else 0.97, start, (1,), FAR) == start


def test_what_the_machine_offers_is_there():
    assert 1 <= physical_cores() <= logical_cores() <= (os.cpu_count() or 1)
    assert all(one < other for one, other in pairwise(thread_counts()))
    assert set(thread_counts()) <= set(range(1, logical_cores() + 1))


def test_small_keys_and_values_where_memory_is_short():
    free = psutil.virtual_memory().available
    assert looked_up(2**20, 2**20, None) == Tuning(physical_cores())
    assert looked_up(2**20, 2 * free, 3) == Tuning(3, kv_type="q8_0")


def test_own_work_is_not_other_work(monkeypatch):
    """Busy and own seconds as they are set here; each look is two seconds after the one before."""
    spent, now = {"busy": 0.0, "own": 0.0}, iter(range(0, 100, 2))
    monkeypatch.setattr(OtherWork, "_now", lambda self: (float(next(now)), spent["busy"], spent["own"]))
    work = OtherWork()
    for busy, own, expected in ((3.0, 2.0, 0.5), (4.0, 4.0, 0.0), (4.0, 4.0, 0.0), (8.0, 4.0, 2.0)):
        spent.update(busy=busy, own=own)
        assert work.busy_cores() == pytest.approx(expected)


def test_counters_of_this_machine_move_with_work():
    work, ends = OtherWork(), time.process_time() + 0.1
    seconds, busy, own = work._last
    while time.process_time() < ends:
        pass
    later, still_busy, still_own = work._now()
    assert later > seconds
    assert still_busy >= busy
    assert still_own >= own + 0.08
    assert 0 <= work.busy_cores() <= 2 * logical_cores()


def test_threads_make_room_for_neighbours_unless_the_reply_is_seeded():
    used = []

    class Context:
        def use_threads(self, threads: int, prompt_threads: int) -> None:
            used.append((threads, prompt_threads))

    neighbours = Neighbours()
    pace = Pace(Tuning(4, prompt_threads=6), neighbours)
    for cores, steady in ((0.2, False), (1.4, False), (1.4, False), (1.4, True), (9.0, False), (0.0, False)):
        neighbours.cores = cores
        pace.keep(Context(), steady=steady)
    assert used == [(3, 5), (4, 6), (1, 1), (4, 6)]


class Quiet(OtherWork):
    """A machine with `cores` busy cores."""

    def __init__(self, cores: float = 0.0) -> None:
        self.cores = cores

    def busy_cores(self) -> float:
        return self.cores


def test_a_busy_machine_measures_nothing(tiny, monkeypatch):
    monkeypatch.setattr("assistant.engine.tuning.choose", None)
    with LlamaModel(tiny) as model:
        assert tune(model, Tuning(1), Quiet(logical_cores()), fixed_threads=False) == (Tuning(1), False)


def test_a_real_measurement_ends_with_a_tuning_that_works(tiny):
    with LlamaModel(tiny) as model:
        found, worth_remembering = tune(model, Tuning(1), Quiet(), fixed_threads=False)
        assert worth_remembering
        with closing(LlamaContext(model, 256, found)) as context:
            assert context.evaluate([5, 6, 7]) == 3


@pytest.fixture
async def engine(tmp_path) -> AsyncIterator[Engine]:
    made = Engine(tmp_path / "engine.log")
    yield made
    await made.close()


def test_a_tuning_that_is_given_is_not_measured(tiny, monkeypatch):
    monkeypatch.setattr(sessions, "tune", None)
    given_one = Tuning(1, prompt_threads=2, batch_tokens=64, flash_attention=True)
    with closing(Session(Load(str(tiny), 256, tuning=given_one), AbortFlag())) as session:
        assert (session.loaded.tuning, session.loaded.measured) == (given_one, False)


async def test_after_a_crash_the_engine_computes_as_before(engine, tiny):
    loaded = await engine.load(Load(str(tiny), 512, threads=1))
    text = (await by_engine(engine, asked("hello you"))).text
    os.kill(engine.pid, signal.SIGKILL)
    while engine.pid is not None:
        await asyncio.sleep(0)
    again = await by_engine(engine, asked("hello you"))
    assert (again.text, engine.loaded.tuning) == (text, loaded.tuning)
    assert engine.pid is not None


@pytest.fixture(params=["tiny", pytest.param("bundled", marks=pytest.mark.bundled)])
def model_path(request, tiny) -> Path:
    return tiny if request.param == "tiny" else bundled_model()


def probabilities(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits.astype(np.float64) - logits.max())
    return exponents / exponents.sum()


def test_batches_and_flash_attention_change_the_rounding_only(model_path):
    with LlamaModel(model_path) as model:
        words = "The kite rose over the hill, and the children ran after its shadow. " * 20
        tokens, seen = model.tokenize(words, parse_special=False)[:200], []
        for batch, flash in product((128, 512), (True, False)):
            with closing(LlamaContext(model, 256, Tuning(1, batch_tokens=batch, flash_attention=flash))) as context:
                context.evaluate(tokens)
                seen.append(probabilities(context.logits()))
        for other in seen[1:]:
            assert np.abs(other - seen[0]).sum() < 0.05
            assert other.argmax() == seen[0].argmax()
