"""A model loaded for a moment, in an engine process of its own: does it load, and do control vectors move it?"""

from __future__ import annotations

from pathlib import Path

import psutil

from assistant.engine.process import Engine
from assistant.engine.protocol import Load, Loaded, Tuning
from assistant.paths import Paths

CONTEXT_TOKENS = 512


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
