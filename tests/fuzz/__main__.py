"""The long run: `python -m tests.fuzz [PARSER...] --cases 200000`.

Every case is drawn from its number, so that a run goes on where it was stopped and a finding can be repeated. A case
fails when it raises, takes more than 2 s of processor time (or 20 s in all), or needs more than 500 MB.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from random import Random
from typing import Any

import psutil

SECONDS, WALL_SECONDS, MEGABYTES = 2.0, 20.0, 500
CHUNK = 20_000
STATE = Path(".fuzz.json")


def main() -> int:
    """Run what was asked for; exit code 1 where something was found."""
    from tests.fuzz.parsers import PARSERS

    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("parsers", nargs="*", choices=[*PARSERS, []], metavar="PARSER", help=", ".join(PARSERS))
    options.add_argument("--cases", type=int, default=200_000, help="for each parser, those of earlier runs included")
    options.add_argument("--state", type=Path, default=STATE, help="where the numbers of cases done are kept")
    options.add_argument("--found", type=Path, default=Path("fuzz-found"), help="where failing cases are put")
    chosen = options.parse_args()
    state: dict[str, Any] = json.loads(chosen.state.read_text()) if chosen.state.exists() else {}
    for name in chosen.parsers or PARSERS:
        report = state.setdefault(name, {"cases": 0, "found": 0, "seconds": 0.0, "slowest": 0.0, "megabytes": 0})
        while report["cases"] < chosen.cases:
            _run_chunk(name, report, min(chosen.cases, report["cases"] + CHUNK), chosen.found)
            chosen.state.write_text(json.dumps(state, indent=1))
        rate = report["cases"] / max(report["seconds"], 1e-9)
        print(
            f"{name:<10} {report['cases']:>8,} cases, {rate:6,.0f} a second, slowest {report['slowest']:.2f} s, "
            f"{report['megabytes']} MB at most, {report['found']} found",
            flush=True,
        )
    return int(any(state[name]["found"] for name in chosen.parsers or PARSERS))


def _run_chunk(name: str, report: dict[str, Any], end: int, found: Path) -> None:
    """Cases up to `end` in a child, which is ended where a case hangs."""
    context = multiprocessing.get_context("fork")
    at, slowest = context.Value("q", report["cases"]), context.Value("d", report["slowest"])
    failures, peak = context.Value("q", 0), context.Value("q", 0)
    started = time.monotonic()
    child = context.Process(target=_work, args=(name, at, end, slowest, failures, peak, found), daemon=True)
    child.start()
    hung = _watch(child, at)
    if hung or child.exitcode:
        why = "took too long" if hung else f"ended the process ({child.exitcode})"
        _keep(name, at.value, f"{why}\n", found)
        failures.value += 1
        at.value += 1
    report["cases"], report["found"] = at.value, report["found"] + failures.value
    report["slowest"], report["megabytes"] = slowest.value, max(report["megabytes"], peak.value)
    report["seconds"] += time.monotonic() - started


def _watch(child: Any, at: Synchronized[int]) -> bool:
    """Wait for the end of the child; True where one case took too long and it was ended."""
    process = psutil.Process(child.pid)
    case, since, spent = -1, 0.0, 0.0
    while child.exitcode is None:
        child.join(0.25)
        if child.exitcode is not None:
            break
        used = sum(process.cpu_times()[:2])
        if at.value != case:
            case, since, spent = at.value, time.monotonic(), used
        elif used - spent > SECONDS + 0.5 or time.monotonic() - since > WALL_SECONDS:
            child.kill()
            child.join()
            return True
    return False


def _work(
    name: str,
    at: Synchronized[int],
    end: int,
    slowest: Synchronized[float],
    failures: Synchronized[int],
    peak: Synchronized[int],
    found: Path,
) -> None:
    from tests.fuzz.parsers import PARSERS

    parser = PARSERS[name]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as held:
        folder = Path(held)
        parser.run(parser.make(Random(0)), folder)
        limit = psutil.Process().memory_info().data + MEGABYTES * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        app = os.getppid()
        for case in range(at.value, end):
            if os.getppid() != app:  # the run was stopped
                return
            at.value = case
            data = parser.make(Random(case))
            before = time.process_time()
            try:
                parser.run(data, folder)
            except Exception:
                _keep(name, case, traceback.format_exc(), found)
                failures.value += 1
            took = time.process_time() - before
            slowest.value = max(slowest.value, took)
            if took > SECONDS:
                _keep(name, case, f"took {took:.1f} s\n", found)
                failures.value += 1
        at.value = end
        peak.value = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def _keep(name: str, case: int, why: str, found: Path) -> None:
    from tests.fuzz.parsers import PARSERS

    folder = found / name
    folder.mkdir(parents=True, exist_ok=True)
    if len(list(folder.iterdir())) < 200:
        (folder / f"{case}.case").write_bytes(PARSERS[name].make(Random(case)))
        (folder / f"{case}.txt").write_text(why)
    last = why.strip().splitlines()[-1]
    print(f"{name} case {case}: {last[:300]}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    os.nice(10)
    sys.exit(main())
