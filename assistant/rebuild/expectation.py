"""What a rebuild will need, told before it begins: which model learns, how much memory, how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assistant.models.active import ActiveModel
from assistant.models.advice import memory_for
from assistant.models.header import count_parameters
from assistant.paths import Paths
from assistant.rebuild.eta import TYPICAL_SECONDS
from steering.models.choice import Choice
from steering.models.memory import WORKING_BYTES, memory_in_torch

_SEEN_WITH = 135_000_000
"""Parameters of the model that the typical seconds were seen with."""
_WEIGHT_BYTES = 4
"""Of each parameter in float32; half of it where the processor computes in bfloat16."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a rebuild on a CPU will need.

    Attributes:
        in_torch: the chat model itself is converted and learns; else it learns inside llama.cpp, less well.
        convert: it must be converted first, once.
        memory: bytes at the most.
        seconds: as the last rebuild with this model took; without one, a rough guess (`guessed`).
        chosen: the person chose who learns; memory does not decide it.
    """

    in_torch: bool
    convert: bool
    memory: int
    seconds: float
    guessed: bool
    chosen: bool = False

    @property
    def words(self) -> str:
        """One line for the person."""
        if self.in_torch:
            who = "the chat model learns in torch" + (", converted first" if self.convert else "")
        else:
            why = "as you chose" if self.chosen else "torch does not fit into the free memory"
            who = f"{why}: the chat model learns inside llama.cpp, by a weaker method"
        minutes = max(1, round(self.seconds / 60))
        roughly = "roughly" if self.guessed else "about"
        return f"{who}; needs up to {self.memory / 1e9:.1f} GB and {roughly} {minutes} minute{'s' * (minutes > 1)}"


def seconds_by_stage(parameters: int, last_seconds: Mapping[str, float]) -> dict[str, float]:
    """What each stage takes: as the last time with this model, else as with the bundled one, or longer if larger."""
    if last_seconds:
        return {stage: last_seconds.get(stage, 0.0) for stage in TYPICAL_SECONDS}
    larger = max(1.0, parameters / _SEEN_WITH)
    return {stage: typical * larger for stage, typical in TYPICAL_SECONDS.items()}


def expect(
    model: ActiveModel,
    paths: Paths,
    last_seconds: Mapping[str, float],
    free: int,
    choice: str = Choice.AUTOMATIC,
) -> Expectation:
    """What a rebuild with the model of the moment needs; `last_seconds` by stage of the last one, `free` in bytes.

    `choice` is the setting of what learns.

    Raises: ModelError: there is no model, or it cannot be used.
    """
    path = model.path()
    parameters = count_parameters(path)
    converted = (paths.estimators / model.fingerprint() / "config.json").exists()
    convert = choice in (Choice.AUTOMATIC, Choice.TORCH) and not converted
    in_torch = memory_in_torch(parameters, _WEIGHT_BYTES, convert=convert)
    fits = in_torch <= free if choice == Choice.AUTOMATIC else choice != Choice.CHAT_MODEL
    seconds = sum(seconds_by_stage(parameters, last_seconds).values())
    memory = in_torch if fits else memory_for(model.header().size) + WORKING_BYTES
    return Expectation(fits, fits and convert, memory, seconds, not last_seconds, choice != Choice.AUTOMATIC)
