"""Torch's block outputs, on the same float32 weights, as the oracle."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from assistant.engine.llama import LlamaModel, ResidualReader
from assistant.engine.llama.residuals import CHUNK_TOKENS
from assistant.errors import EngineError
from tests.steering.oracles import TINY_VOCABULARY, block_output
from tests.tiny_models import write_tiny_model

BLOCKS = 5
WINDOW = 512


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("residuals") / "tiny.gguf", blocks=BLOCKS)


@pytest.fixture(scope="module")
def model(path) -> Iterator[LlamaModel]:
    with LlamaModel(path) as loaded:
        yield loaded


@pytest.fixture
def reader(model) -> Iterator[ResidualReader]:
    made = ResidualReader(model, WINDOW, 1)
    yield made
    made.close()


@pytest.fixture(scope="module")
def torch_model(path) -> Any:
    return AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()


def make_tokens(count: int, seed: int = 0) -> list[int]:
    draw = random.Random(seed)
    return [draw.randrange(3, TINY_VOCABULARY) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 7, CHUNK_TOKENS, CHUNK_TOKENS + 1, 2 * CHUNK_TOKENS + 9])
def test_every_block_at_every_position_is_torchs(reader, torch_model, count):
    tokens = make_tokens(count)
    read = reader.read(tokens, range(BLOCKS))
    assert sorted(read) == list(range(BLOCKS))
    for block, rows in read.items():
        expected = block_output(torch_model, tokens, block).numpy()
        assert rows.dtype == np.float32
        # llama.cpp keeps keys and values in half precision.
        np.testing.assert_allclose(rows, expected, atol=5e-3 * np.abs(expected).max())


def test_a_block_is_not_one_of_its_neighbours(reader, torch_model):
    tokens = make_tokens(40)
    outputs = [block_output(torch_model, tokens, block).numpy() for block in range(BLOCKS)]
    for block, rows in reader.read(tokens, range(BLOCKS)).items():
        distances = [np.linalg.norm(rows - output) / np.linalg.norm(output) for output in outputs]
        assert int(np.argmin(distances)) == block
        assert distances[block] < 0.01 < 0.1 < min(d for other, d in enumerate(distances) if other != block)


@pytest.mark.parametrize("blocks", [[2], [BLOCKS - 1], [0, 3], [3, 1]])
def test_some_blocks_are_what_they_are_among_all(reader, blocks):
    tokens = make_tokens(CHUNK_TOKENS + 20)
    every = reader.read(tokens, range(BLOCKS))
    some = reader.read(tokens, blocks)
    assert sorted(some) == sorted(blocks)
    for block, rows in some.items():
        assert np.array_equal(rows, every[block])


def test_a_text_leaves_nothing_behind(model, reader):
    first, second = make_tokens(CHUNK_TOKENS + 30, seed=1), make_tokens(50, seed=2)
    reader.read(first, [1])
    after_another = reader.read(second, [3])[3]
    fresh = ResidualReader(model, WINDOW, 1)
    assert np.array_equal(after_another, fresh.read(second, [3])[3])
    fresh.close()


def test_what_was_read_stays_as_it_was(reader):
    rows = reader.read(make_tokens(9, seed=1), [1])[1]
    before = rows.copy()
    reader.read(make_tokens(9, seed=2), [1])
    assert np.array_equal(rows, before)


def test_a_block_that_the_model_does_not_have_is_refused(reader):
    for block in (-1, BLOCKS):
        with pytest.raises(EngineError, match=f"no block {block}; this model has blocks 0 to {BLOCKS - 1}"):
            reader.read(make_tokens(3), [block])


@pytest.mark.parametrize("count", [0, WINDOW + 1])
def test_what_does_not_fit_is_refused(reader, count):
    with pytest.raises(EngineError, match=f"{count} tokens do not fit the window of {WINDOW}"):
        reader.read(make_tokens(count), [1])


def test_the_window_can_be_filled(reader):
    assert reader.read(make_tokens(WINDOW), [BLOCKS - 1])[BLOCKS - 1].shape == (WINDOW, 64)


def test_a_model_that_hands_out_no_residual_stream_is_refused(reader, monkeypatch):
    """As an architecture would be whose outputs have other names."""
    monkeypatch.setattr("assistant.engine.llama.residuals.OUTPUT_NAME", "other-")
    with pytest.raises(EngineError, match=r"no residual stream of block 2 of tiny\.gguf"):
        reader.read(make_tokens(3), [2])
    monkeypatch.undo()
    assert reader.read(make_tokens(3), [2])[2].shape == (3, 64)
