"""llama.cpp's own high-level loop, fresh contexts and numpy as the oracles."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import llama_cpp
import numpy as np
import pytest

from assistant.engine.abort import AbortFlag, DecodeAborted
from assistant.engine.llama import LlamaContext, LlamaModel, Sampler
from assistant.engine.protocol import Sampling, Tuning
from assistant.engine.session import steers
from assistant.errors import EngineError, ModelError
from assistant.models.bundled import bundled_model
from tests.tiny_models import write_tiny_model

PROMPT = "<|im_start|>user\nName three colours.<|im_end|>\n<|im_start|>assistant\n"


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaModel]:
    with LlamaModel(bundled_model()) as loaded:
        yield loaded


@pytest.fixture
def context(model) -> Iterator[LlamaContext]:
    made = LlamaContext(model, 1024, Tuning(1))
    yield made
    made.close()


@pytest.fixture
def prompt(model) -> list[int]:
    return model.tokenize(PROMPT, parse_special=True)


def directions(model: LlamaModel, seed: int = 1) -> dict[int, np.ndarray]:
    random = np.random.default_rng(seed)
    return {block: random.standard_normal(model.width).astype(np.float32) for block in (8, 12)}


def logits_of(model: LlamaModel, tokens: list[int], vector: dict[int, np.ndarray] | None) -> np.ndarray:
    fresh = LlamaContext(model, 1024, Tuning(1))
    fresh.set_control_vector(vector)
    fresh.evaluate(tokens)
    logits = fresh.logits()
    fresh.close()
    return logits


def draw(context: LlamaContext, prompt: list[int], sampling: Sampling, count: int) -> list[int]:
    sampler = Sampler(context.model, sampling)
    context.evaluate(prompt)
    drawn = []
    for _ in range(count):
        drawn.append(sampler.draw(context))
        if context.model.is_end(drawn[-1]):
            break
        context.append(drawn[-1])
    sampler.close()
    return drawn


@pytest.mark.bundled
def test_greedy_reply_equals_llama_cpps_own(model, context, prompt):
    drawn = draw(context, prompt, Sampling(temperature=0), 24)
    oracle = llama_cpp.Llama(str(bundled_model()), n_ctx=1024, n_threads=1, n_threads_batch=1, verbose=False)
    expected = oracle.create_completion(prompt, max_tokens=24, temperature=0)["choices"][0]["text"]
    oracle.close()
    text = b"".join(model.piece(token) for token in drawn if not model.is_end(token)).decode()
    assert text == expected
    assert text.strip()


@pytest.mark.bundled
def test_strength_zero_is_bit_identical_to_no_vector(model, context, prompt):
    context.set_control_vector({k: v * np.float32(0) for k, v in directions(model).items()})
    context.evaluate(prompt)
    assert np.array_equal(context.logits(), logits_of(model, prompt, None))


@pytest.mark.bundled
def test_cache_never_mixes_two_vectors(model, context, prompt):
    """Off, on, off, another, on: each time the logits of a context that never knew another vector."""
    one, other = directions(model, 1), directions(model, 2)
    for vector in (None, one, None, other, one):
        context.set_control_vector(vector)
        context.evaluate(prompt)
        assert np.array_equal(context.logits(), logits_of(model, prompt, vector))
    assert not np.array_equal(logits_of(model, prompt, one), logits_of(model, prompt, None))


@pytest.mark.bundled
def test_a_second_vector_leaves_nothing_of_the_first_in_other_blocks(model, context, prompt):
    context.set_control_vector(directions(model, 1))
    alone = {20: directions(model, 3)[8]}
    context.set_control_vector(alone)
    context.evaluate(prompt)
    assert np.array_equal(context.logits(), logits_of(model, prompt, alone))


@pytest.mark.bundled
def test_only_new_tokens_are_evaluated(model, context, prompt):
    assert context.evaluate(prompt) == len(prompt)
    longer = [*prompt, *model.tokenize("Red, green", parse_special=False)]
    assert context.evaluate(longer) == len(longer) - len(prompt)
    assert context.evaluate(longer) == 0
    changed = [*prompt[:5], *model.tokenize("other words", parse_special=False)]
    assert context.evaluate(changed) == len(changed) - 5
    assert context.tokens == changed
    vector = directions(model)
    context.set_control_vector(vector)
    assert context.evaluate(changed) == len(changed)
    context.set_control_vector(directions(model))
    assert context.evaluate(changed) == 0


@pytest.mark.bundled
def test_reused_prefix_gives_the_logits_of_a_full_read(model, context, prompt):
    context.evaluate([*prompt, *model.tokenize("Blue is one of them", parse_special=False)])
    longer = [*prompt, *model.tokenize("Red, green", parse_special=False)]
    context.evaluate(longer)
    np.testing.assert_allclose(context.logits(), logits_of(model, longer, None), atol=0.15)


@pytest.mark.bundled
def test_scored_rows_are_the_next_token_distributions(model, context, prompt):
    vector = directions(model)
    context.set_control_vector(vector)
    rows = context.next_token_logprobs(prompt)
    assert rows.shape == (len(prompt), model.vocabulary)
    np.testing.assert_allclose(np.exp(rows.astype(np.float64)).sum(axis=1), 1, atol=1e-5)
    for end in (3, len(prompt)):
        logits = logits_of(model, prompt[:end], vector).astype(np.float64)
        expected = logits - np.logaddexp.reduce(logits)
        np.testing.assert_allclose(rows[end - 1], expected, atol=0.15)
    assert context.tokens == list(prompt)


@pytest.mark.bundled
def test_rows_after_a_known_beginning_are_read_without_it(context, prompt):
    first = len(prompt) // 2
    whole = context.next_token_logprobs(prompt)
    before = context.evaluated_tokens
    rest = context.next_token_logprobs(prompt, first)
    assert context.evaluated_tokens - before == len(prompt) - first
    np.testing.assert_allclose(np.exp(rest), np.exp(whole[first:]), atol=0.02)
    context.clear()
    np.testing.assert_allclose(np.exp(context.next_token_logprobs(prompt, first)), np.exp(whole[first:]), atol=0.02)


@pytest.mark.bundled
def test_seed_decides(context, prompt):
    sampling = Sampling(temperature=1.2, seed=7, repeat_penalty=1.1, dry_multiplier=0.8)
    first = draw(context, prompt, sampling, 16)
    context.clear()
    assert draw(context, prompt, sampling, 16) == first
    context.clear()
    assert draw(context, prompt, Sampling(temperature=1.2, seed=8), 16) != first


@pytest.mark.bundled
def test_abort_ends_an_evaluation_and_keeps_the_cache_true(model, prompt):
    flag = AbortFlag()
    context = LlamaContext(model, 2048, Tuning(1), flag)
    context.evaluate(prompt)
    long = [*prompt, *model.tokenize("many words " * 900, parse_special=False)][:2000]
    threading.Timer(0.05, flag.set).start()
    with pytest.raises(DecodeAborted):
        context.evaluate(long)
    flag.clear()
    assert context.tokens == long[: len(context.tokens)]
    assert len(context.tokens) < len(long)
    longer = [*prompt, *model.tokenize("Red", parse_special=False)]
    context.evaluate(longer)
    np.testing.assert_allclose(context.logits(), logits_of(model, longer, None), atol=0.15)
    context.close()


def test_vector_of_another_model_is_refused(tmp_path):
    with LlamaModel(write_tiny_model(tmp_path / "tiny.gguf")) as tiny:
        context = LlamaContext(tiny, 256, Tuning(1))
        for wrong in ({3: np.ones(64, np.float32)}, {0: np.ones(64, np.float32)}, {1: np.ones(65, np.float32)}):
            with pytest.raises(EngineError, match="another model"):
                context.set_control_vector(wrong)
        context.close()


def test_probe_measures_whether_steering_reaches_the_logits(tmp_path):
    for blocks, expected in ((3, True), (1, False)):
        with LlamaModel(write_tiny_model(tmp_path / f"{blocks}.gguf", blocks=blocks)) as tiny:
            context = LlamaContext(tiny, 256, Tuning(1))
            assert steers(context) is expected
            assert context.tokens == []
            context.evaluate([5, 6])
            assert np.array_equal(context.logits(), logits_of(tiny, [5, 6], None))
            context.close()


def test_refused_file_says_why(tmp_path):
    path = tmp_path / "foreign.gguf"
    path.write_bytes(b"GGUF" + b"\x00" * 64)
    with pytest.raises(ModelError, match=r"foreign\.gguf: llama\.cpp cannot load it"):
        LlamaModel(path)


def test_control_tokens_are_parsed_only_where_asked(tmp_path):
    with LlamaModel(write_tiny_model(tmp_path / "tiny.gguf")) as tiny:
        assert tiny.tokenize("<|im_end|>", parse_special=True) == [2]
        assert 2 not in tiny.tokenize("<|im_end|>", parse_special=False)
        assert tiny.control_texts() == {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}
        text = "naïve 🎌日本\x00 end"
        pieces = b"".join(tiny.piece(token) for token in tiny.tokenize(text, parse_special=False))
        assert pieces.decode() == text


SMALL_MEMORY = """
import resource, sys
from pathlib import Path
from assistant.engine.llama import LlamaContext, LlamaModel
from assistant.engine.protocol import Tuning
from assistant.errors import EngineError

model = LlamaModel(Path(sys.argv[1]))
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))
try:
    LlamaContext(model, 2**22, Tuning(1))
except EngineError as error:
    print(error)
"""


def test_window_that_memory_cannot_hold_is_refused_in_words(tmp_path):
    path = write_tiny_model(tmp_path / "tiny.gguf", context=2**22)
    command = [sys.executable, "-c", SMALL_MEMORY, str(path)]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    assert out.stdout.startswith("no memory for a window of 4194304 tokens")
