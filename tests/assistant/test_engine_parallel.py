"""Several sequences in one window; a context that holds one of them alone is the oracle.

The order in which keys and values lie, and how many tokens are computed together, is in the rounding of logits.
"""

from __future__ import annotations

from collections.abc import Iterator

import llama_cpp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.engine.abort import AbortFlag
from assistant.engine.batched import Asked, BatchedReplies
from assistant.engine.llama import LlamaContext, LlamaModel, ParallelContext
from assistant.engine.protocol import Load, Sampling, Tuning, Turn
from assistant.engine.session import Session
from assistant.errors import EngineError
from tests.tiny_models import write_tiny_model

WINDOW, SEQUENCES = 512, 3
ROUNDING = 0.15
"""Of logits that vary by 3; reading the wrong token, place or sequence moves them by more than 1."""
SHARED = tuple(range(40, 140))
prompts = st.builds(
    lambda shared, rest: [*SHARED[:shared], *rest],
    st.sampled_from([0, 5, 100]),
    st.lists(st.integers(0, 200), min_size=1, max_size=12),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("start"), st.integers(0, SEQUENCES - 1), prompts),
        st.tuples(st.just("append"), st.integers(0, SEQUENCES - 1), st.integers(0, 200)),
        st.tuples(st.just("clear"), st.integers(0, SEQUENCES - 1), st.none()),
        st.tuples(st.just("steer"), st.integers(0, 2), st.none()),
        st.tuples(st.just("evaluate"), st.none(), st.none()),
    ),
    max_size=14,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Iterator[LlamaModel]:
    with LlamaModel(write_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf")) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def alone(model) -> Iterator[LlamaContext]:
    context = LlamaContext(model, WINDOW, Tuning(1))
    yield context
    context.close()


@pytest.fixture(scope="module")
def together(model) -> Iterator[ParallelContext]:
    context = ParallelContext(model, WINDOW, SEQUENCES, Tuning(1))
    yield context
    context.close()


def vector(model: LlamaModel, number: int) -> dict[int, np.ndarray]:
    """None for 0."""
    drawn = np.random.default_rng(number).standard_normal(model.width).astype(np.float32)
    return {1: drawn * 2} if number else {}


def logits(context: ParallelContext, sequence: int) -> np.ndarray:
    row = llama_cpp.llama_get_logits_ith(context._context, context.row(sequence))
    return np.ctypeslib.as_array(row, shape=(context.model.vocabulary,)).copy()


@settings(max_examples=60, deadline=None)
@given(steps)
def test_each_sequence_is_computed_as_if_it_were_alone(model, alone, together, steps):
    together.set_control_vector({})
    alone.set_control_vector({})
    together.empty()
    texts: dict[int, list[int]] = {}
    waiting: set[int] = set()
    for step, which, what in [*steps, ("evaluate", None, None)]:
        if step == "start":
            together.start(which, what)
            texts[which] = list(what)
            waiting.add(which)
        elif step == "append" and which in texts:
            together.append(which, what)
            texts[which].append(what)
            waiting.add(which)
        elif step == "clear":
            together.clear(which)
            texts.pop(which, None)
            waiting.discard(which)
        elif step == "steer":
            before = together._adapter.name
            together.set_control_vector(vector(model, which))
            alone.set_control_vector(vector(model, which))
            if together._adapter.name != before:
                texts.clear()
                waiting.clear()
        elif step == "evaluate" and waiting:
            together.evaluate()
            for sequence in waiting:
                alone.clear()
                alone.evaluate(texts[sequence])
                np.testing.assert_allclose(logits(together, sequence), alone.logits(), atol=ROUNDING)
                assert together.held(sequence) == len(texts[sequence])
            waiting.clear()


def test_what_another_sequence_holds_is_not_read_again(together):
    together.empty()
    together.start(0, [*SHARED, 7])
    assert together.held(0) == len(SHARED)  # long: read at once, but for the last token
    together.start(1, [*SHARED, 8, 9])
    assert together.held(1) == len(SHARED)
    together.start(2, [3, 4])
    assert together.held(2) == 0


def test_more_tokens_than_the_window_are_refused_and_the_next_are_read(together):
    together.empty()
    with pytest.raises(EngineError, match="cannot evaluate"):
        together.start(0, list(range(WINDOW + 10)))
    together.start(1, [5, 6])
    together.evaluate()
    assert [together.held(sequence) for sequence in range(SEQUENCES)] == [0, 2, 0]


@pytest.fixture(scope="module")
def session(model) -> Iterator[Session]:
    made = Session(Load(str(model.path), WINDOW, tuning=Tuning(1)), AbortFlag())
    yield made
    made.close()


def ask(*texts: str, stop: tuple[str, ...] = ()) -> list[Asked]:
    return [
        Asked((Turn("user", text),), Sampling(max_tokens=12, seed=seed, stop=stop)) for seed, text in enumerate(texts)
    ]


def test_all_get_a_reply_where_few_fit_at_a_time(session):
    """Prompts of very different lengths: what one may take together changes all the time."""
    texts = ["hi", "the garden " * 30, "x" * 200, "how are you", "y" * 100, "", "the garden " * 25, "z", "one more"]
    one, several = BatchedReplies(session, 1, Tuning(1)), BatchedReplies(session, 4, Tuning(1))
    shares: list[float] = []
    found = several.write(ask(*texts), shares.append)
    assert [bool(reply) for reply in found] == [bool(reply) for reply in one.write(ask(*texts), lambda _: None)]
    assert shares == sorted(shares) and shares[-1] == len(texts)
    assert several.write(ask(*texts), lambda _: None) == found


def test_a_stop_string_ends_one_reply_and_not_the_others(session):
    writer = BatchedReplies(session, 3, Tuning(1))
    whole = writer.write(ask("a", "b", "c"), lambda _: None)
    stop = whole[1][3:5]
    stopped = writer.write(ask("a", "b", "c", stop=(stop,)), lambda _: None)
    assert stopped[1] == whole[1][: whole[1].index(stop)]
    assert [len(reply) for reply in stopped] != [len(reply) for reply in whole]


def test_what_is_too_long_is_refused_and_the_next_is_answered(session):
    writer = BatchedReplies(session, 2, Tuning(1))
    before = writer.write(ask("a", "b"), lambda _: None)
    with pytest.raises(EngineError, match="shorten it"):
        writer.write(ask("a", "b" * 2000), lambda _: None)
    assert writer.write(ask("a", "b"), lambda _: None) == before
