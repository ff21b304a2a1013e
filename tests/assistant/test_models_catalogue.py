"""The catalogue holds what it must, and the advice follows from the machine."""

from __future__ import annotations

import re

import pytest
from gguf.constants import MODEL_ARCH_NAMES

from assistant.models.advice import GB, Machine, advise, memory_for
from assistant.models.catalogue import load_catalogue
from steering.models.splits import part_names


def recommended(memory: float, cores: int, gpu: bool | None = None) -> str | None:
    best = [advice for advice in advise(load_catalogue(), Machine(int(memory * GB), cores, gpu)) if advice.recommended]
    return best[0].model.name if best else None


def test_every_entry_can_be_downloaded_and_read():
    models = load_catalogue().models
    assert [model.size for model in models] == sorted(model.size for model in models)
    assert len({model.name for model in models}) == len(models)
    for model in models:
        assert re.fullmatch(r"[0-9a-f]{64}", model.sha256)
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", model.repository)
        assert part_names(model.file) == [model.file]
        assert model.architecture in MODEL_ARCH_NAMES.values()
        assert load_catalogue().find(model.name.upper()) == model


@pytest.mark.parametrize(
    ("memory", "cores", "gpu", "best"),
    [
        (0.5, 2, None, None),
        (2, 2, None, "qwen2.5-0.5b"),
        (8, 2, None, "qwen2.5-1.5b"),
        (8, 4, None, "qwen3-4b"),
        (16, 8, None, "qwen3-8b"),
        (32, 8, None, "qwen3-8b"),
        (32, 2, True, "qwen3-14b"),
        (32, 16, False, "qwen3-14b"),
    ],
)
def test_the_largest_that_fits_and_is_quick_enough(memory, cores, gpu, best):
    assert recommended(memory, cores, gpu) == best


def test_what_does_not_suit_says_why():
    advice = {found.model.name: found for found in advise(load_catalogue(), Machine(8 * GB, 2))}
    assert advice["qwen3-14b"].why == "does not fit: needs 10.7 GB of memory; of 8.0 GB here, 4.8 GB are for a model"
    assert advice["llama-3.2-3b"].why == "too slow here: 2.0 GB are read for every token, by 2 cores without a GPU"
    assert advice["qwen2.5-1.5b"].why.startswith("the largest that fits: needs 1.6 GB of 8.0 GB memory")
    assert advice["qwen2.5-0.5b"].why == ""
    assert memory_for(GB) == 1_450_000_000
