"""`python -m tests.benchmarks.effects`: token-level effects against a naive loop and against the least possible.

One run measures all three sides, each in a process of its own, on the same items:

- naive: float32, one item at a time, two full passes, the logits of every position;
- ours: `steering.effects.token_effects.score`;
- floor: one pass of the model's body, in the data type that ours takes, over the tokens that differ. A token is
  counted once for all sequences that agree up to it, on both sides of all effects.

Ours and the floor take turns, in the environment that a rebuild runs in; medians are shown. `peak_extra_mb` is the
highest resident memory of the process that ran ours, Python and torch included, over the bytes of the weights.
`first_score_seconds` is the time from the start of that process to its first effects, the converted model being there.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, cycle, islice, pairwise, takewhile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from steering.effects.history import Job, history_slot, plan
from steering.effects.token_effects import TokenEffects, score
from steering.items import PreferenceItem, Source
from steering.models.estimator import Estimator, load_estimator
from steering.models.limits import MAX_HISTORY_TOKENS
from steering.models.network import Network
from steering.neutral import load_neutral_set
from steering.prompts import history_system, render_prompt, tokenize_text
from tests.benchmarks.model import add_model_option

FLOOR_SEQUENCE, FLOOR_BATCH = 512, 4
MIB = 2**20


def make_items(tokenizer: Any, count: int, tokens: int) -> list[PreferenceItem]:
    """Items of exactly so many tokens, cut from the neutral set: other sentences in each."""
    neutral = load_neutral_set()
    sentences = cycle(" ".join(neutral.texts).split(". "))
    items = []
    for i, request in zip(range(count), cycle(neutral.prompts), strict=False):
        text = ". ".join(islice(sentences, 12)) + "."
        _, spans = tokenize_text(tokenizer, text)
        items.append(PreferenceItem(f"i{i}", request, text[: spans[tokens - 1][1]], Source.WRITING, float(i)))
    return items


def sides(tokenizer: Any, job: Job) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Prompt with history, prompt without, and text, as token ids."""
    slot = history_slot(job.history, tokenizer)
    with_h, without = (render_prompt(tokenizer, job.item.context, history_system(h)) for h in (slot, ""))
    return with_h, without, tokenize_text(tokenizer, job.item.text)[0]


@torch.inference_mode()
def naive(model: Any, prompt: tuple[int, ...], text: tuple[int, ...]) -> torch.Tensor:
    """Log-probabilities of the text's tokens from a full pass with all logits."""
    logits = model(input_ids=torch.tensor([prompt + text], device=model.device), use_cache=False).logits[0]
    logprobs = logits.float().log_softmax(-1)[len(prompt) - 1 : -1]
    found: torch.Tensor = logprobs.gather(1, torch.tensor(text, device=model.device)[:, None])[:, 0]
    return found


def run_naive(estimator: Estimator, jobs: Sequence[Job]) -> dict[str, Any]:
    """Seconds and effects of the naive loop; the estimator gives tokenizer and, in float32, the weights."""
    from transformers import AutoModelForCausalLM

    folder = Path(os.environ["BENCHMARK_CACHE"]) / "benchmark"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval().to(estimator.network.device)
    effects: dict[str, list[float]] = {}
    started = time.perf_counter()
    for job in jobs:
        with_h, without, text = sides(estimator.tokenizer, job)
        effects[job.item.id] = (naive(model, with_h, text) - naive(model, without, text)).tolist()
    return {"naive_seconds": time.perf_counter() - started, "effects": effects}


def common_beginning(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """Tokens that both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))


def unique_tokens(sequences: Sequence[tuple[int, ...]]) -> list[int]:
    """The tokens of a trie of all sequences: what has to be read at least once."""
    ordered = sorted(sequences)
    shared = [0, *(common_beginning(a, b) for a, b in pairwise(ordered))]
    return list(chain.from_iterable(ids[start:] for ids, start in zip(ordered, shared, strict=True)))


def network_of(estimator: Estimator) -> Network:
    """Torch's; the benchmark loads no other."""
    assert isinstance(estimator.network, Network)
    return estimator.network


@torch.inference_mode()
def run_floor(estimator: Estimator, tokens: Sequence[int]) -> float:
    """Seconds of one pass of the body over so many tokens, in large even batches."""
    per_batch = FLOOR_SEQUENCE * FLOOR_BATCH
    batches = [torch.tensor(tokens[i : i + per_batch]) for i in range(0, len(tokens), per_batch)]
    started = time.perf_counter()
    for batch in batches:
        whole = len(batch) // FLOOR_SEQUENCE * FLOOR_SEQUENCE
        for ids in (batch[:whole].reshape(-1, FLOOR_SEQUENCE), batch[whole:][None]):
            if ids.numel():
                network_of(estimator).decoder(input_ids=ids.to(estimator.network.device), use_cache=False)
    if estimator.network.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def run_ours(estimator: Estimator, jobs: Sequence[Job], on_first: Callable[[], None]) -> dict[str, TokenEffects]:
    """Effects as the product computes them."""
    found: dict[str, TokenEffects] = {}

    def keep(scored: dict[str, TokenEffects]) -> None:
        if not found:
            on_first()
        found.update(scored)

    score(estimator, jobs, keep)
    return found


def peak_resident() -> float:
    """Highest resident memory of this process so far, MiB."""
    import resource

    status = Path("/proc/self/status")
    if status.exists():  # Linux's ru_maxrss begins with what the parent process had
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (MIB if sys.platform == "darwin" else 1024)


def run_ours_and_floor(estimator: Estimator, jobs: Sequence[Job], rounds: int) -> dict[str, Any]:
    """Both sides in turns."""
    all_sides = [sides(estimator.tokenizer, job) for job in jobs]
    tokens = unique_tokens([prompt + text for with_h, without, text in all_sides for prompt in (with_h, without)])
    firsts: list[float] = []
    ours, floor = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        effects = run_ours(estimator, jobs, lambda: firsts.append(time.time()))
        ours.append(time.perf_counter() - started)
        if len(ours) == 1:
            peak = peak_resident()
        floor.append(run_floor(estimator, tokens))
    weights = sum(p.numel() * p.element_size() for p in network_of(estimator).decoder.parameters()) / MIB
    return {
        "ours": ours,
        "floor": floor,
        "unique_tokens": len(tokens),
        "all_tokens": sum(len(a) + len(b) + 2 * len(text) for a, b, text in all_sides),
        "histories": len({job.context_hash for job in jobs}),
        "peak_extra_mb": peak - weights,
        "first_score_seconds": firsts[0] - float(os.environ["BENCHMARK_STARTED"]),
        "effects": {item_id: list(found.effects) for item_id, found in effects.items()},
    }


def child(arguments: argparse.Namespace) -> None:
    """One side, in a process of its own."""
    estimator = load_estimator(arguments.model, Path(os.environ["BENCHMARK_CACHE"]), "benchmark")
    gc.enable()
    jobs = plan(
        make_items(estimator.tokenizer, arguments.items, arguments.tokens), estimator.tokenizer, MAX_HISTORY_TOKENS
    )
    if arguments.side == "naive":
        print(json.dumps(run_naive(estimator, jobs)))
    else:
        print(json.dumps(run_ours_and_floor(estimator, jobs, arguments.rounds)))


def run_side(arguments: argparse.Namespace, side: str, cache: str) -> dict[str, Any]:
    """Start a child for one side and read what it found."""
    from assistant.rebuild.runner import CHILD_ENVIRONMENT  # the children do without what this imports

    # As the rebuild process does it: no collection until the model is loaded, and no scipy: it is installed with what
    # tests and evaluation need alone, and transformers imports it where it is.
    program = "import gc, sys; gc.disable(); sys.modules['scipy'] = None; "
    program += "from tests.benchmarks.effects import main; main()"
    command = [sys.executable, "-c", program, "--side", side, "--model", str(arguments.model)]
    command += ["--items", str(arguments.items), "--tokens", str(arguments.tokens), "--rounds", str(arguments.rounds)]
    environment = {**os.environ, "BENCHMARK_CACHE": cache, "BENCHMARK_STARTED": str(time.time())}
    environment |= CHILD_ENVIRONMENT if side == "ours" else {}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures of one run."""
    with tempfile.TemporaryDirectory() as cache:
        load_estimator(arguments.model, Path(cache), "benchmark")
        both = run_side(arguments, "ours", cache)
        slow = run_side(arguments, "naive", cache)
    ours, floor = statistics.median(both["ours"]), statistics.median(both["floor"])
    pairs = zip(flat(both["effects"]), flat(slow["effects"]), strict=True)
    return {
        "naive_seconds": round(slow["naive_seconds"], 2),
        "ours_seconds": round(ours, 2),
        "floor_seconds": round(floor, 2),
        "speedup": round(slow["naive_seconds"] / ours, 2),
        "floor_ratio": round(statistics.median(o / f for o, f in zip(both["ours"], both["floor"], strict=True)), 3),
        "pearson_r": round(float(np.corrcoef(*np.array(list(pairs)).T)[0, 1]), 4),
        "peak_extra_mb": round(both["peak_extra_mb"]),
        "first_score_seconds": round(both["first_score_seconds"], 2),
        **{name: both[name] for name in ("unique_tokens", "all_tokens", "histories")},
        "history_budget": MAX_HISTORY_TOKENS,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, torch {torch.__version__}",
    }


def flat(effects: dict[str, list[float]]) -> Iterator[float]:
    """All effects in the order of the items."""
    for item_id in sorted(effects):
        yield from effects[item_id]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_option(parser)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--tokens", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=["naive", "ours"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        child(arguments)
        return
    figures = measure(arguments)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
