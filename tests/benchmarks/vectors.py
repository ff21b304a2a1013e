"""`python -m tests.benchmarks.vectors DATA.jsonl`: steering methods on real people, at equal harm.

Per person: vectors from the `history` lines, change of the NLL on the `test` lines, every vector at a mean KL of 0.1
nats on the model's own neutral replies. Results are written to RESULTS.jsonl person by person; a run that is called
again goes on where it ended. The description stands in the system prompt at whatever KL it has.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from assistant.models.bundled import bundled_model
from assistant.models.fingerprint import fingerprint
from assistant.rebuild.llama_chat import LlamaChat
from assistant.settings import Settings
from steering.control_vector import ControlVector
from steering.evaluation.comparison import Comparison
from steering.evaluation.people import Person, draw, planted, read_people
from steering.learning import neutral_replies
from steering.models.estimator import load_estimator

METHODS = (
    *("caa", "steerx-caa", "steerx-caa-sum", "stylevector", "steerx-stylevector", "steerx-stylevector-sum"),
    *("prompt-contrast", "steerx-prompt-contrast", "pca", "steerx-pca"),
    *("steerx-optimized-sum", "optimized", "steerx-optimized"),
)
"""By default; the last one gives the vector that the next person is measured with as another person's."""
PAIRS = (
    ("steerx-optimized", "optimized"),
    ("steerx-optimized", "other-person"),
    ("steerx-optimized", "caa"),
    ("steerx-optimized-sum", "steerx-optimized"),
    ("steerx-caa", "caa"),
    ("steerx-caa-sum", "caa"),
    ("steerx-stylevector", "stylevector"),
    ("steerx-stylevector-sum", "stylevector"),
    ("steerx-prompt-contrast", "prompt-contrast"),
)


def measure(arguments: argparse.Namespace, people: Sequence[Person], results: Path) -> None:
    """Measure who is not in `results` yet and append them."""
    model = arguments.model or bundled_model()
    cache = arguments.cache or Path(tempfile.mkdtemp(prefix="vectors-"))
    estimator = load_estimator(model, cache, fingerprint(model))
    chat = LlamaChat(model, Settings().sampling.as_sampling(), None)
    comparison = Comparison(estimator, chat, neutral_replies(chat, (), lambda _: None), arguments.methods)
    done = {row["user_id"] for row in read(results)}
    vectors = results.with_suffix(".vectors")
    vectors.mkdir(exist_ok=True)
    another = None
    for number, person in enumerate(people, 1):
        own = vectors / f"{person.user_id}.gguf"
        if person.user_id not in done:
            started = time.monotonic()
            found = comparison.person(person, another, lambda step, n=number: tell(f"{n} of {len(people)}: {step}"))
            ControlVector({b: d.numpy() for b, d in found.vector.items()}, chat.architecture).write_gguf(own)
            row = {
                "user_id": person.user_id,
                "history": len(person.history),
                "test": len(person.test),
                "nll_unsteered": found.nll_unsteered,
                "methods": {name: asdict(result) for name, result in found.results.items()},
                "effects_seconds": found.effects_seconds,
                "seconds": time.monotonic() - started,
            }
            with results.open("a") as file:
                file.write(json.dumps(row) + "\n")
        another = {b: torch.tensor(d) for b, d in ControlVector.read_gguf(own).directions.items()}
    tell("")


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Means over people with 95 % bootstrap intervals, and paired differences."""
    names = list(dict.fromkeys(name for row in rows for name in row["methods"]))
    gains = {name: [row["methods"].get(name, {}).get("gain", np.nan) for row in rows] for name in names}
    methods = {}
    for name in names:
        own = [row["methods"][name] for row in rows if name in row["methods"]]
        methods[name] = {
            **interval([result["gain"] for result in own], "gain"),
            "share_helped": float(np.mean([result["gain"] > 0 for result in own])),
            "kl": float(np.mean([result["kl"] for result in own])),
            "seconds": float(np.median([result["seconds"] for result in own])),
        }
    differences = {(a, b): np.subtract(gains[a], gains[b]) for a, b in PAIRS if a in gains and b in gains}
    pairs = {f"{a}>{b}": interval(d[~np.isnan(d)], "diff") for (a, b), d in differences.items()}
    return {"people": len(rows), "machine": machine(), "methods": methods, "pairs": pairs}


def interval(values: Sequence[float] | np.ndarray, name: str) -> dict[str, Any]:
    """Mean and percentile bootstrap interval over people."""
    values = np.asarray(values, float)
    draws = np.random.default_rng(0).integers(0, len(values), (5000, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return {f"{name}_mean": float(values.mean()), f"{name}_ci": [float(low), float(high)]}


def table(found: Mapping[str, Any]) -> str:
    """Markdown."""
    lines = [
        f"{found['people']} people; {found['machine']}",
        "",
        "| method | gain, nats/token | 95 % | helped | KL | s |",
    ]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for name, m in sorted(found["methods"].items(), key=lambda entry: entry[1]["gain_mean"]):
        low, high = m["gain_ci"]
        lines.append(
            f"| {name} | {m['gain_mean']:+.3f} | {low:+.3f} to {high:+.3f} | {m['share_helped']:.0%} "
            f"| {m['kl']:.2f} | {m['seconds']:.0f} |"
        )
    lines += ["", "| difference | nats/token | 95 % |", "| --- | --- | --- |"]
    for name, pair in found["pairs"].items():
        low, high = pair["diff_ci"]
        lines.append(f"| {name} | {pair['diff_mean']:+.4f} | {low:+.4f} to {high:+.4f} |")
    return "\n".join(lines)


def machine() -> str:
    """What the seconds were taken on."""
    return f"{platform.machine()}, {os.cpu_count()} CPUs, torch {torch.__version__}"


def read(results: Path) -> list[dict[str, Any]]:
    """The people that are done."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []


def tell(step: str) -> None:
    """Progress on stderr, in one line."""
    print(f"\r{step:<40}", end="" if step else "\n", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--results", type=Path, default=Path("vectors.jsonl"))
    parser.add_argument("--users", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--min-history", type=int, default=12)
    parser.add_argument("--leave-out", nargs="*", default=[], help="user ids that something was chosen by")
    parser.add_argument("--methods", nargs="+", default=METHODS, help="the last one is another person's, too")
    parser.add_argument("--planted", type=int, default=0, help="texts of other people to strew into each history")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--cache", type=Path, help="where the converted model is kept")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with arguments.data.open() as lines:
        people = read_people(lines)
    left_out = arguments.leave_out
    chosen = draw(people, arguments.users, arguments.seed, min_history=arguments.min_history, left_out=left_out)
    chosen = [planted(person, people, arguments.planted, arguments.seed) for person in chosen]
    measure(arguments, chosen, arguments.results)
    users = {person.user_id for person in chosen}
    found = summary([row for row in read(arguments.results) if row["user_id"] in users])
    print(json.dumps(found) if arguments.json else table(found))


if __name__ == "__main__":
    main()
