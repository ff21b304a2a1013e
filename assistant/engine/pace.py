"""As many threads as there are cores that nobody else uses: threads that wait for a taken core stop all others."""

from __future__ import annotations

from assistant.engine.llama import LlamaContext
from assistant.engine.protocol import Tuning


class Neighbours:
    """What else the machine does; may be set from any thread.

    Attributes:
        cores: how many it keeps busy, as it was last seen.
    """

    cores = 0.0


class Pace:
    """Adapts the threads of a context to its neighbours."""

    def __init__(self, tuning: Tuning, neighbours: Neighbours) -> None:
        self._tuning, self._neighbours = tuning, neighbours
        self._taken = 0

    def keep(self, context: LlamaContext, *, steady: bool) -> None:
        """Use the threads of the tuning, less the cores that are taken; all of them where `steady`.

        With flash attention the number of threads changes the rounding: a reply with a given seed must not change with
        what else the machine does.
        """
        taken = 0 if steady else round(self._neighbours.cores)
        if taken == self._taken:
            return
        self._taken = taken
        threads = max(self._tuning.threads - taken, 1)
        context.use_threads(threads, max((self._tuning.prompt_threads or self._tuning.threads) - taken, 1))
