"""How llama.cpp computes fastest here: looked up on the machine, then measured, one choice after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import psutil

from assistant.engine.llama import LlamaContext, LlamaModel
from assistant.engine.machine import logical_cores, physical_cores
from assistant.engine.protocol import Tuning

SECONDS = 2.0
"""A measurement begins nothing new after this long; a large model is hardly measured, but hardly waits either."""
WINDOW = 512
PROMPT_TOKENS = 96
DRAWN_TOKENS = 6
ROUNDS = 3
CLEARLY_FASTER = 0.95
"""Another choice must take at most this share of the time: noise must not choose."""
QUIET_SHARE = 0.2
"""Up to this share of the cores busy with other work, a measurement is worth remembering."""

Measure = Callable[[Tuning, bool], float]
"""Seconds that a tuning takes for a few tokens one at a time, or (True) for many at once."""


def looked_up(file_bytes: int, window_bytes: int, threads: int | None) -> Tuning:
    """What the machine suggests: physical cores, and small keys and values where memory is short."""
    free = psutil.virtual_memory().available - file_bytes - window_bytes
    return Tuning(threads or physical_cores(), flash_attention=None, kv_type="f16" if free > 0 else "q8_0")


def tune(
    model: LlamaModel, start: Tuning, others: OtherWork, *, fixed_threads: bool, seconds: float = SECONDS
) -> tuple[Tuning, bool]:
    """The fastest tuning near `start`, and whether the machine was quiet enough for it to be worth remembering.

    Where it was not quiet while the model was loaded, nothing is measured: what is found then would be chance.

    Raises: EngineError: no memory for a small window.
    """
    if _disturbed(others):
        return start, False
    contexts: dict[Tuning, LlamaContext] = {}

    def measure(tuning: Tuning, prompt: bool) -> float:
        build = replace(tuning, threads=1, prompt_threads=0)
        if build not in contexts:
            contexts[build] = LlamaContext(model, WINDOW, build)
        context = contexts[build]
        context.use_threads(tuning.threads, tuning.prompt_threads or tuning.threads)
        return _seconds(context, prompt)

    try:
        found = choose(measure, start, () if fixed_threads else thread_counts(), time.monotonic() + seconds)
    finally:
        for context in contexts.values():
            context.close()
    return found, not _disturbed(others)


def _disturbed(others: OtherWork) -> bool:
    return others.busy_cores() > QUIET_SHARE * logical_cores()


def choose(measure: Measure, start: Tuning, threads: Iterable[int], deadline: float) -> Tuning:
    """Try one change after the other and keep those that are clearly faster, until the deadline."""
    best = start
    steps: list[tuple[bool, list[Callable[[Tuning], Tuning]]]] = [
        (False, [_with_threads(count) for count in threads if count != start.threads]),
        (False, [lambda tuning: replace(tuning, flash_attention=False)] if start.kv_type == "f16" else []),
        (True, [_with_prompt_threads(count) for count in threads if count != start.threads]),
        (True, [lambda tuning: replace(tuning, batch_tokens=128)]),
    ]
    for prompt, changes in steps:
        for change in changes:
            changed = change(best)
            if changed != best and _clearly_faster(measure, changed, best, prompt, deadline):
                best = changed
    return best


def thread_counts() -> Sequence[int]:
    """Numbers of threads worth trying: one a core, one a hardware thread, one less than cores."""
    cores = physical_cores()
    return sorted({cores, logical_cores(), max(cores - 1, 1)})


class OtherWork:
    """How busy the processors are with what is not this process, since it was last asked."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._last = self._now()

    def busy_cores(self) -> float:
        """Cores that others kept busy on average."""
        now = self._now()
        seconds, busy, own = (new - old for new, old in zip(now, self._last, strict=True))
        self._last = now
        return max(busy - own, 0.0) / seconds if seconds > 0 else 0.0

    def _now(self) -> tuple[float, float, float]:
        times, own = psutil.cpu_times(), self._process.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # Time that the processors of a guest are kept waiting is others' work as well.
        return time.monotonic(), sum(times[:8]) - idle, own.user + own.system


def _with_threads(count: int) -> Callable[[Tuning], Tuning]:
    return lambda tuning: replace(tuning, threads=count)


def _with_prompt_threads(count: int) -> Callable[[Tuning], Tuning]:
    return lambda tuning: replace(tuning, prompt_threads=count if count != tuning.threads else 0)


def _clearly_faster(measure: Measure, new: Tuning, old: Tuning, prompt: bool, deadline: float) -> bool:
    """In pairs, so that a busy moment slows both; every round must agree."""
    for _ in range(ROUNDS):
        if time.monotonic() > deadline:
            return False
        if measure(new, prompt) > CLEARLY_FASTER * measure(old, prompt):
            return False
    return True


def _seconds(context: LlamaContext, prompt: bool) -> float:
    """Any tokens do: what they mean takes no longer or shorter."""
    if prompt:
        context.clear()
        tokens = [token % context.model.vocabulary for token in range(PROMPT_TOKENS)]
        started = time.perf_counter()
        context.evaluate(tokens)
        return time.perf_counter() - started
    if not context.tokens or len(context.tokens) + DRAWN_TOKENS > context.window:
        context.clear()
        context.append(0)
    started = time.perf_counter()
    for _ in range(DRAWN_TOKENS):
        context.append(0)
    return time.perf_counter() - started
