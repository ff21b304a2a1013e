"""Which model of the catalogue suits this machine, and why in one line."""

from __future__ import annotations

from dataclasses import dataclass

import psutil

from assistant.figures import count
from assistant.models.catalogue import Catalogue, CatalogueModel

GB = 1_000_000_000
_SHARE_OF_MEMORY = 0.6
"""The rest is left to the system, to other programs and to a rebuild."""
_BYTES_PER_BYTE = 1.15
_WORKING_BYTES = 300_000_000
"""For the window and what is computed, at the default window of 4096 tokens."""
_BYTES_PER_CORE = 700_000_000
"""Without a GPU every token reads the whole file: beyond this a reply comes slower than it is read."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides which model fits.

    Attributes:
        memory: all of it, in bytes.
        cores: physical ones.
        gpu: llama.cpp can use a GPU; None while no model has been loaded and nobody knows.
    """

    memory: int
    cores: int
    gpu: bool | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """What is to be said of one model on one machine; `needs` is bytes of memory."""

    model: CatalogueModel
    needs: int
    fits: bool
    recommended: bool
    why: str


def this_machine(gpu: bool | None = None) -> Machine:
    """Memory and cores of this machine."""
    return Machine(psutil.virtual_memory().total, psutil.cpu_count(logical=False) or psutil.cpu_count() or 1, gpu)


def memory_for(size: int) -> int:
    """Bytes of memory that a model file of `size` bytes takes while it answers."""
    return int(size * _BYTES_PER_BYTE) + _WORKING_BYTES


def advise(catalogue: Catalogue, machine: Machine) -> list[Advice]:
    """All models in order; at most one is recommended: the last that fits and can be steered."""
    problems = [_problem(model, machine) for model in catalogue.models]
    fitting = [model for model, problem in zip(catalogue.models, problems, strict=True) if not problem]
    best = next((model for model in reversed(fitting) if model.steerable), None)
    return [
        Advice(
            model,
            memory_for(model.size),
            not problem,
            model is best,
            _reason(model, machine) if model is best else problem,
        )
        for model, problem in zip(catalogue.models, problems, strict=True)
    ]


def _problem(model: CatalogueModel, machine: Machine) -> str:
    """Why a model does not suit the machine; "" where it does."""
    needs, room = memory_for(model.size), int(machine.memory * _SHARE_OF_MEMORY)
    if needs > room:
        return f"does not fit: needs {_gb(needs)} of memory; of {_gb(machine.memory)} here, {_gb(room)} are for a model"
    if not machine.gpu and model.size > machine.cores * _BYTES_PER_CORE:
        cores = count(machine.cores, "core")
        return f"too slow here: {_gb(model.size)} are read for every token, by {cores} without a GPU"
    return ""


def _reason(model: CatalogueModel, machine: Machine) -> str:
    carried = "a GPU" if machine.gpu else count(machine.cores, "core")
    return (
        f"the largest that fits: needs {_gb(memory_for(model.size))} of {_gb(machine.memory)} memory, quick enough on "
        f"{carried}, and control vectors work on it"
    )


def _gb(size: int) -> str:
    return f"{size / GB:.1f} GB"
