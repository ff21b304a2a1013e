"""Whatever is read, steered, kept and brought back: fresh contexts are the oracle, raw llama.cpp where none can be."""

from __future__ import annotations

import codecs
import ctypes
from collections.abc import Iterator
from contextlib import closing, contextmanager

import llama_cpp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.engine.abort import AbortFlag
from assistant.engine.llama import LlamaContext, LlamaModel
from assistant.engine.prefixes import Prefixes
from assistant.engine.protocol import Generate, Load, Tuning, Turn
from assistant.engine.session import Session
from assistant.models.bundled import bundled_model
from tests.assistant.replies import by_session, greedy

WINDOW = 1024
ATOL = 0.1
"""Logits of the tiny model reach 10; in other pieces they differ by 0.03, under another vector by 0.3 or more."""
VECTORS: dict[str, dict[int, np.ndarray] | None] = {
    "none": None,
    "one": {1: np.random.default_rng(1).standard_normal(64).astype(np.float32)},
    "other": {block: np.random.default_rng(block + 5).standard_normal(64).astype(np.float32) for block in (1, 2)},
    "one, stronger": {1: np.random.default_rng(1).standard_normal(64).astype(np.float32) * 2},
}
STARTS = [[int(token) for token in np.random.default_rng(seed).integers(3, 250, 70)] for seed in range(3)]


class Raw:
    """Bare llama.cpp: nothing is ever used again, and the vector may change while the cache stays."""

    def __init__(self, path) -> None:
        params = llama_cpp.llama_model_default_params()
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        self.width, self.blocks = (
            llama_cpp.llama_model_n_embd(self._model),
            llama_cpp.llama_model_n_layer(self._model),
        )
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))
        context = llama_cpp.llama_context_default_params()
        context.n_ctx = context.n_batch = context.n_ubatch = WINDOW
        context.n_threads = context.n_threads_batch = 1
        self._context = llama_cpp.llama_init_from_model(self._model, context)

    def steer(self, vector: dict[int, np.ndarray] | None) -> None:
        rows = np.zeros((self.blocks - 1, self.width), np.float32)
        for block, row in (vector or {}).items():
            rows[block - 1] = row
        data = rows.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        arguments = (data, rows.size) if vector else (None, 0)
        assert not llama_cpp.llama_set_adapter_cvec(self._context, *arguments, self.width, 1, self.blocks - 1)

    def read(self, tokens: list[int]) -> np.ndarray:
        """Logits after tokens that follow what was read before."""
        ids = (llama_cpp.llama_token * len(tokens))(*tokens)
        assert llama_cpp.llama_decode(self._context, llama_cpp.llama_batch_get_one(ids, len(tokens))) == 0
        row = llama_cpp.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(row, shape=(self.vocabulary,)).copy()

    def clear(self) -> None:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)

    def close(self) -> None:
        llama_cpp.llama_free(self._context)
        llama_cpp.llama_model_free(self._model)


@contextmanager
def raw(path) -> Iterator[Raw]:
    made = Raw(path)
    yield made
    made.close()


def raw_logits(bare: Raw, tokens: list[int], vector: dict[int, np.ndarray] | None, plain: int) -> np.ndarray:
    bare.clear()
    logits = None
    for part, steered in ((tokens[:plain], None), (tokens[plain:], vector)):
        if part:
            bare.steer(steered)
            logits = bare.read(part)
    return logits


def raw_greedy(bare: Raw, prompt: list[int], vector: dict[int, np.ndarray] | None, plain: int, count: int) -> list[int]:
    logits = raw_logits(bare, prompt, vector, plain)
    bare.steer(vector)
    drawn = []
    for _ in range(count):
        drawn.append(int(logits.argmax()))
        logits = bare.read(drawn[-1:])
    return drawn


@pytest.fixture(scope="module")
def bare(tiny) -> Iterator[Raw]:
    with raw(tiny) as made:
        yield made


@pytest.fixture(scope="module")
def tiny_model(tiny) -> Iterator[LlamaModel]:
    with LlamaModel(tiny) as model:
        yield model


texts = st.builds(
    lambda start, cut, more: [*STARTS[start][:cut], *more],
    st.integers(0, 2),
    st.sampled_from([20, 45, 70]),
    st.lists(st.integers(3, 250), max_size=20),
)
operations = st.one_of(
    st.tuples(st.just("read"), texts, st.sampled_from([0.0, 0.5, 1.0])),
    st.tuples(st.just("again"), st.integers(0, 5)),
    st.tuples(st.just("steer"), st.sampled_from(list(VECTORS))),
    st.tuples(st.just("append"), st.lists(st.integers(3, 250), min_size=1, max_size=4)),
    st.tuples(st.just("keep")),
)


@pytest.mark.parametrize("budget", [2**26, 2**17, 0])
@given(st.lists(operations, min_size=3, max_size=14))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_reading_and_steering_gives_the_logits_of_a_fresh_context(tiny_model, bare, budget, steps):
    with closing(LlamaContext(tiny_model, WINDOW, Tuning(1, batch_tokens=64))) as context:
        prefixes, vector, plain = Prefixes(context, budget), None, 0
        tokens: list[int] = []
        read: list[tuple[list[int], float]] = []
        for name, *arguments in steps:
            if name == "steer":
                vector = VECTORS[arguments[0]]
                prefixes.keep()
                context.set_control_vector(vector)
                continue
            if name == "keep":
                prefixes.keep()
                continue
            if name == "append":
                if not context.tokens:
                    continue
                for token in arguments[0]:
                    context.append(token)
                tokens = [*tokens, *arguments[0]]
            else:
                if name == "again" and not read:
                    continue
                tokens, share = read[-1 - arguments[0] % len(read)] if name == "again" else arguments
                read.append((tokens, share))
                plain = round(len(tokens) * share) if vector else 0
                before = context.evaluated_tokens
                assert prefixes.read(tokens, plain=plain) == context.evaluated_tokens - before
            assert context.tokens == tokens
            np.testing.assert_allclose(context.logits(), raw_logits(bare, tokens, vector, plain), atol=ATOL)


def test_the_tolerance_tells_steered_from_plain(bare):
    """Else the test above would prove nothing."""
    tokens = STARTS[0]
    seen = [raw_logits(bare, tokens, vector, plain) for vector in VECTORS.values() for plain in (0, 20, 69)]
    seen = [seen[0], *seen[3:]]
    gaps = [np.abs(one - other).max() for index, one in enumerate(seen) for other in seen[:index]]
    assert min(gaps) > 3 * ATOL


@pytest.fixture(params=["tiny", pytest.param("bundled", marks=pytest.mark.bundled)])
def path(request, tiny):
    return tiny if request.param == "tiny" else bundled_model()


def test_generated_tokens_only_are_steered_over_several_turns(path):
    """Everything said before is read plainly, earlier steered replies too; the reply itself is steered."""
    session = Session(Load(str(path), WINDOW, tuning=Tuning(1)), AbortFlag(), prefix_budget=2**26)
    middle = session.model.blocks // 2
    vector = {middle: np.random.default_rng(3).standard_normal(session.model.width).astype(np.float32)}
    turns = [Turn("user", "hello you and the user")]
    changed = 0
    with raw(path) as bare, closing(session):
        for question in ("and then?", "why?", "is the end near?"):
            prompt = session.encode(turns)
            session.steer(vector, 1.0, "generated")
            generated = by_session(session, Generate(tuple(turns), greedy(10)))
            drawn = raw_greedy(bare, prompt, vector, len(prompt), 10)
            assert generated.text == said(session, drawn)
            session.steer(vector, 1.0, "all")
            everywhere = by_session(session, Generate(tuple(turns), greedy(10)))
            assert everywhere.text == said(session, raw_greedy(bare, prompt, vector, 0, 10))
            changed += generated.text != everywhere.text
            turns += [generated.turn, Turn("user", question)]
    assert changed or path.name != "tiny.gguf"


def said(session: Session, drawn: list[int]) -> str:
    """The reply's text: up to its end, without an unfinished character."""
    ends = [index for index, token in enumerate(drawn) if session.model.is_end(token)]
    data = b"".join(map(session.model.piece, drawn[: ends[0] if ends else len(drawn)]))
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data)


def test_a_reply_that_goes_on_reads_its_own_opening_steered(path):
    session = Session(Load(str(path), WINDOW, tuning=Tuning(1)), AbortFlag(), prefix_budget=2**26)
    vector = {1: np.random.default_rng(3).standard_normal(session.model.width).astype(np.float32)}
    question, opening = Turn("user", "hello you and the user"), Turn("assistant", "hello, the other and")
    with raw(path) as bare, closing(session):
        prompt = session.encode([question])
        tokens = [*prompt, *session.model.tokenize(opening.text, parse_special=False)]
        session.steer(vector, 1.0, "generated")
        rest = by_session(session, Generate((question, opening), greedy(8), continue_last=True))
        assert rest.text == said(session, raw_greedy(bare, tokens, vector, len(prompt), 8))
        np.testing.assert_allclose(
            session.context.logits(), raw_logits(bare, session.context.tokens, vector, len(prompt)), atol=0.2
        )


def test_the_end_of_the_plain_part_moves_and_what_lies_between_is_read_anew(tiny_model, bare):
    tokens, vector = STARTS[0], VECTORS["one"]
    with closing(LlamaContext(tiny_model, WINDOW, Tuning(1))) as context:
        context.set_control_vector(vector)
        for plain, evaluated in ((50, 70), (70, 20), (70, 0), (30, 40), (0, 70), (0, 0)):
            assert context.evaluate(tokens, plain=plain) == evaluated
            np.testing.assert_allclose(context.logits(), raw_logits(bare, tokens, vector, plain), atol=ATOL)
