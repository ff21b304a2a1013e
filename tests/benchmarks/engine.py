"""`python -m tests.benchmarks.engine`: the engine process against a bare llama.cpp loop, on the same settings.

All sides of the ratios come from one run and take turns, each of them first in every third round, so that a busy
machine slows all; ratios are medians over the rounds. The bare loop makes C API calls only: llama_decode of one token,
greedy sampling, no text. It computes as the engine does (the tuning that the engine measured), with a model and a
window of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from collections import deque
from pathlib import Path

import llama_cpp
import numpy as np

from assistant.engine.llama import LlamaContext, LlamaModel
from assistant.engine.process import Engine
from assistant.engine.protocol import Finished, Generate, Load, Piece, Prefill, Sampling, Steer, Tuning, Turn
from tests.benchmarks.model import add_model_option
from tests.tiny_models import write_tiny_model, write_vector

WINDOW = 2048
EVENT_TOKENS = 1000
PROMPT = "Tell me a long story about a lighthouse keeper, a storm and a letter."


class Bare:
    """llama_decode and a greedy sampler in C."""

    def __init__(self, path: Path, tuning: Tuning) -> None:
        self._model = LlamaModel(path)
        self._context = LlamaContext(self._model, WINDOW, tuning)
        self._prompt = self._model.tokenize(PROMPT, parse_special=False)

    def tokens_per_s(self, count: int) -> float:
        """Tokens/s of a reply after its prompt was read."""
        self._context.clear()
        self._context.evaluate(self._prompt)
        chain = llama_cpp.llama_sampler_init_greedy()
        raw, token = self._context._context, (llama_cpp.llama_token * 1)()
        started = time.perf_counter()
        for _ in range(count):
            token[0] = llama_cpp.llama_sampler_sample(chain, raw, -1)
            llama_cpp.llama_decode(raw, llama_cpp.llama_batch_get_one(token, 1))
        seconds = time.perf_counter() - started
        llama_cpp.llama_sampler_free(chain)
        return count / seconds

    def close(self) -> None:
        """Give the memory back."""
        self._context.close()
        self._model.close()


async def reply(engine: Engine, turns: tuple[Turn, ...], count: int) -> tuple[str, Finished]:
    """One greedy reply of at most `count` tokens."""
    text = ""
    async for event in engine.generate(Generate(turns, Sampling(temperature=0, max_tokens=count))):
        if isinstance(event, Piece):
            text += event.text
        elif isinstance(event, Finished):
            return text, event
    raise RuntimeError("the reply has no end")


async def ours_tokens_per_s(engine: Engine, count: int) -> float:
    """Tokens/s of a reply after its first token, as the app receives it."""
    _, finished = await reply(engine, (Turn("user", PROMPT),), count)
    return (finished.reply_tokens - 1) / (finished.seconds - finished.first_token_seconds)


async def stop_seconds(engine: Engine) -> float:
    """From `stop` to `Finished` while a prompt of nearly a window is read."""
    asked = time.perf_counter()
    long = Generate((Turn("user", "many different words " * 550),), Sampling(temperature=0))
    async for event in engine.generate(long):
        if isinstance(event, Prefill) and event.done == 0:
            await asyncio.sleep(0.05)  # in the middle of a chunk
            asked = time.perf_counter()
            await engine.stop()
    return time.perf_counter() - asked


async def swap_seconds(engine: Engine, vector: Path) -> float:
    """From `steer` to `Steered`, the prefill that correctness needs not counted."""
    started = time.perf_counter()
    await engine.steer(Steer(str(vector)))
    return time.perf_counter() - started


async def turn_prefill(engine: Engine) -> int:
    """Tokens evaluated for a second turn, over those that are new in it."""
    turns: tuple[Turn, ...] = (Turn("user", PROMPT),)
    text, _first = await reply(engine, turns, 64)
    turns = (*turns, Turn("assistant", text), Turn("user", "Go on."))
    _, second = await reply(engine, turns, 1)
    return second.prefilled_tokens


async def switch_prefill(engine: Engine) -> int:
    """Tokens evaluated when one comes back to a conversation that was left for another, over those that are new."""
    one, other = (Turn("user", PROMPT),), (Turn("user", "What is a good name for a cat?"),)
    text, _ = await reply(engine, one, 64)
    await reply(engine, other, 16)
    _, back = await reply(engine, (*one, Turn("assistant", text), Turn("user", "And then?")), 1)
    return back.prefilled_tokens


async def event_seconds(rounds: int) -> float:
    """What a token costs on its way to the app, over the bare loop: of a model so small that little else counts."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_tiny_model(Path(folder) / "tiny.gguf")
        engine = Engine(Path(folder) / "engine.log")
        tuning = Tuning(1)
        await engine.load(Load(str(path), context_tokens=WINDOW, tuning=tuning))
        bare, added = Bare(path, tuning), []
        for _ in range(rounds):
            plain = await asyncio.to_thread(bare.tokens_per_s, EVENT_TOKENS)
            added.append(1 / await ours_tokens_per_s(engine, EVENT_TOKENS) - 1 / plain)
        bare.close()
        await engine.close()
    return statistics.median(added)


async def measure(path: Path, count: int, rounds: int, threads: int | None) -> dict[str, float | str]:
    """All figures of one run."""
    figures: dict[str, list[float]] = {"bare": [], "ours": [], "steered": [], "swap": [], "stop": []}
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder) / "engine.log")
        loaded = await engine.load(Load(str(path), context_tokens=WINDOW, threads=threads))
        random = np.random.default_rng(0).standard_normal(loaded.width) * 0.05
        blocks = {loaded.blocks * part // 10: random for part in (2, 4, 6)}  # as a rebuild steers: three of them
        vector = write_vector(Path(folder) / "vector.gguf", blocks)
        bare = Bare(path, loaded.tuning)

        async def measure_bare() -> None:
            figures["bare"].append(await asyncio.to_thread(bare.tokens_per_s, count))

        async def measure_ours() -> None:
            figures["ours"].append(await ours_tokens_per_s(engine, count))

        async def measure_steered() -> None:
            figures["swap"].append(await swap_seconds(engine, vector))
            figures["steered"].append(await ours_tokens_per_s(engine, count))
            await engine.steer(Steer(None))

        sides = deque((measure_bare, measure_ours, measure_steered))
        for _ in range(rounds):
            for measure_side in sides:
                await measure_side()
            sides.rotate()
            figures["stop"].append(await stop_seconds(engine))
        bare.close()
        turn, switch = await turn_prefill(engine), await switch_prefill(engine)
        await engine.close()
    pairs = list(zip(figures["bare"], figures["ours"], figures["steered"], strict=True))
    return {
        "bare_tokens_per_s": round(statistics.median(figures["bare"]), 2),
        "ours_tokens_per_s": round(statistics.median(figures["ours"]), 2),
        "ratio_bare": round(statistics.median(ours / bare for bare, ours, _ in pairs), 3),
        "ratio_steered": round(statistics.median(steered / ours for _, ours, steered in pairs), 3),
        "event_ms": round(1000 * await event_seconds(rounds), 3),
        "stop_ms": round(1000 * statistics.median(figures["stop"]), 1),
        "swap_ms": round(1000 * statistics.median(figures["swap"]), 1),
        "turn_prefill_tokens": turn,
        "switch_prefill_tokens": switch,
        "threads": loaded.tuning.threads,
        "flash_attention": loaded.tuning.flash_attention is not False,
        "gpu": loaded.gpu,
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, llama-cpp-python {llama_cpp.__version__}",
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_model_option(parser)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=27)
    parser.add_argument("--threads", type=int, help="instead of those that the engine finds best")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    chosen = arguments.model, arguments.tokens, arguments.rounds, arguments.threads
    figures = asyncio.run(measure(*chosen))
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:22} {value}")


if __name__ == "__main__":
    main()
