"""The engine process with a fault, which the environment variable ODD_WORKER names.

deaf: takes no notice of `Stop`; slow: silent for three seconds while it loads a window of 512 tokens or reads a prompt
of that many; mute: slow, and does not say that it lives; late: as long with its imports, step by step; stuck: for ever.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from assistant.engine import worker
from assistant.engine.abort import AbortFlag
from assistant.engine.protocol import Load
from assistant.engine.session import Session

SILENT_SECONDS = 3.0
LONG = 512


class Slow(Session):
    def __init__(self, request: Load, *arguments: Any, **options: Any) -> None:
        if request.context_tokens == LONG:
            time.sleep(SILENT_SECONDS)
        super().__init__(request, *arguments, **options)

    def read(self, tokens: Any, opening: int, on_chunk: Any) -> int:
        if len(tokens) >= LONG:
            time.sleep(SILENT_SECONDS)
        return super().read(tokens, opening, on_chunk)


if __name__ == "__main__":
    fault = os.environ["ODD_WORKER"]
    if fault == "stuck":
        threading.Event().wait()
    elif fault == "late":
        ready = time.monotonic() + SILENT_SECONDS
        while time.monotonic() < ready:
            time.sleep(0.01)
    elif fault == "deaf":
        AbortFlag.set = lambda self: None  # type: ignore[method-assign]
    else:
        worker.Session = Slow  # type: ignore[misc]
        worker.BEAT_SECONDS = 1000.0 if fault == "mute" else worker.BEAT_SECONDS
    worker.main()
