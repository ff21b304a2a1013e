"""`python -m tests.benchmarks.engine`: the engine process against a bare llama.cpp loop, on the same settings.

Both sides of each ratio come from one run and take turns, so that a busy machine slows both. The bare loop makes C
API calls only: llama_decode of one token, greedy sampling, no text.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

import llama_cpp
import numpy as np

from assistant.engine.llama import LlamaContext, LlamaModel
from assistant.engine.machine import physical_cores
from assistant.engine.process import Engine
from assistant.engine.protocol import Finished, Generate, Load, Piece, Prefill, Sampling, Steer, Tuning, Turn
from assistant.models.bundled import bundled_model
from tests.tiny_models import write_vector

WINDOW = 2048
PROMPT = "Tell me a long story about a lighthouse keeper, a storm and a letter."


def bare_tokens_per_s(path: Path, count: int, threads: int) -> float:
    """Tokens/s of llama_decode and a greedy sampler in C."""
    with LlamaModel(path) as model:
        context = LlamaContext(model, WINDOW, Tuning(threads))
        context.evaluate(model.tokenize(PROMPT, parse_special=False))
        chain = llama_cpp.llama_sampler_init_greedy()
        raw, token = context._context, (llama_cpp.llama_token * 1)()
        started = time.perf_counter()
        for _ in range(count):
            token[0] = llama_cpp.llama_sampler_sample(chain, raw, -1)
            llama_cpp.llama_decode(raw, llama_cpp.llama_batch_get_one(token, 1))
        seconds = time.perf_counter() - started
        llama_cpp.llama_sampler_free(chain)
        context.close()
    return count / seconds


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


async def measure(path: Path, count: int, rounds: int, threads: int) -> dict[str, float]:
    """All figures of one run."""
    figures: dict[str, list[float]] = {"bare": [], "ours": [], "steered": [], "swap": [], "stop": []}
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder) / "engine.log")
        loaded = await engine.load(Load(str(path), context_tokens=WINDOW, threads=threads))
        random = np.random.default_rng(0).standard_normal(loaded.width) * 0.05
        vector = write_vector(Path(folder) / "vector.gguf", {loaded.blocks // 2: random})
        for _ in range(rounds):
            figures["bare"].append(await asyncio.to_thread(bare_tokens_per_s, path, count, threads))
            figures["ours"].append(await ours_tokens_per_s(engine, count))
            figures["swap"].append(await swap_seconds(engine, vector))
            figures["steered"].append(await ours_tokens_per_s(engine, count))
            await engine.steer(Steer(None))
            figures["stop"].append(await stop_seconds(engine))
        prefill = await turn_prefill(engine)
        await engine.close()
    median = {name: statistics.median(values) for name, values in figures.items()}
    return {
        "bare_tokens_per_s": round(median["bare"], 2),
        "ours_tokens_per_s": round(median["ours"], 2),
        "ratio_bare": round(median["ours"] / median["bare"], 3),
        "ratio_steered": round(median["steered"] / median["ours"], 3),
        "event_ms": round(1000 * (1 / median["ours"] - 1 / median["bare"]), 3),
        "stop_ms": round(1000 * median["stop"], 1),
        "swap_ms": round(1000 * median["swap"], 1),
        "turn_prefill_tokens": prefill,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=bundled_model())
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=physical_cores())
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
