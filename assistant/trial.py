"""A model loaded for a moment, in an engine process of its own: does it load, and do control vectors move it?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil

from assistant.engine.process import Engine
from assistant.engine.protocol import Load, Loaded, Tuning
from assistant.errors import EngineError
from assistant.models.examine import Finding, examine_model
from assistant.paths import Paths

CONTEXT_TOKENS = 512


async def examine_and_try(path: Path, paths: Paths) -> list[Finding]:
    """All that can be said of a model file: read from its header, and where that is whole, by loading it."""
    findings = await asyncio.to_thread(examine_model, path)
    return [*findings, *(await load_findings(path, paths))] if findings[0].ok else findings


async def load_findings(path: Path, paths: Paths) -> list[Finding]:
    """Whether a model loads, and whether control vectors move it."""
    try:
        loaded = await try_model(path, paths)
    except EngineError as error:
        return [Finding("load", False, str(error))]
    steers = "control vectors move it" if loaded.steerable else "the architecture ignores control vectors"
    return [
        Finding("load", True, f"loaded in {loaded.seconds:.1f} s"),
        Finding("steering", loaded.steerable, steers),
    ]


async def try_model(path: Path, paths: Paths) -> Loaded:
    """Load a model and let it go again.

    Raises: EngineError: the file cannot be used, there is no memory for it, or the engine died on it.
    """
    engine = Engine(paths.engine_log)
    try:
        tuning = Tuning(psutil.cpu_count(logical=False) or 1)  # given: nothing is to be measured
        return await engine.load(Load(str(path), CONTEXT_TOKENS, tuning=tuning))
    finally:
        await engine.close()
