"""Drawing tokens: numpy and a loop of raw llama.cpp calls are the oracles."""

from __future__ import annotations

import ctypes
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace

import llama_cpp
import numpy as np
import pytest

from assistant.engine.abort import AbortFlag
from assistant.engine.llama import LlamaModel, Sampler
from assistant.engine.process import Engine
from assistant.engine.protocol import Load, Sampling, Tuning
from assistant.engine.session import Session
from assistant.models.bundled import bundled_model
from tests.assistant.replies import Said, asked, by_engine, by_session, greedy, seeded

KITE, SOUP = "How do I fly a kite?", "Which soup goes with dark bread?"
WINDOW = 1024


@pytest.fixture(params=["tiny", pytest.param("bundled", marks=pytest.mark.bundled)])
def load(request, tiny) -> Load:
    path = tiny if request.param == "tiny" else bundled_model()
    return Load(str(path), WINDOW, tuning=Tuning(1))


@pytest.fixture
def session(load) -> Iterator[Session]:
    with closing(Session(load, AbortFlag(), prefix_budget=2**26)) as made:
        yield made


@pytest.fixture
async def engine(tmp_path) -> AsyncIterator[Engine]:
    made = Engine(tmp_path / "engine.log")
    yield made
    await made.close()


@pytest.fixture(scope="module")
def tiny_model(tiny) -> Iterator[LlamaModel]:
    with LlamaModel(tiny) as model:
        yield model


async def test_a_seed_gives_its_text_again_also_later_and_in_another_process(session, engine, load):
    texts = {seed: by_session(session, asked(KITE, sampling=seeded(seed, 16))).text for seed in range(1, 5)}
    assert len(set(texts.values())) == len(texts)
    by_session(session, asked(SOUP, sampling=seeded(1)))
    assert by_session(session, asked(KITE, sampling=seeded(3, 16))).text == texts[3]
    await engine.load(load)
    assert (await by_engine(engine, asked(KITE, sampling=seeded(3, 16)))).text == texts[3]


def test_a_seed_that_was_drawn_is_told_and_gives_the_reply_again(session):
    free = replace(seeded(0, 16), seed=None)
    first, second = (by_session(session, asked(KITE, sampling=free)) for _ in range(2))
    assert first.finished.seed != second.finished.seed
    again = by_session(session, asked(KITE, sampling=replace(free, seed=first.finished.seed)))
    assert (again.text, again.finished.seed) == (first.text, first.finished.seed)


def test_the_likeliest_of_one_is_greedy(session):
    best = by_session(session, asked(KITE, sampling=greedy(16))).text
    assert by_session(session, asked(KITE, sampling=seeded(9, 16, top_k=1, temperature=2.0))).text == best
    assert by_session(session, asked(KITE, sampling=seeded(9, 16, top_p=1e-6, min_p=0.0))).text == best
    assert by_session(session, asked(KITE, sampling=seeded(9, 16, min_p=1.0))).text == best


def raw_log_softmax(path: str, prompt: list[int], drawn: list[int]) -> np.ndarray:
    """Rows before each drawn token, by bare llama.cpp."""
    model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
    size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    params = llama_cpp.llama_context_default_params()
    params.n_ctx, params.n_threads, params.n_threads_batch = WINDOW, 1, 1
    context = llama_cpp.llama_init_from_model(model, params)
    rows, chunk = [], prompt
    for token in drawn:
        ids = (llama_cpp.llama_token * len(chunk))(*chunk)
        assert llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(ids, len(chunk))) == 0
        logits = np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(context, -1), shape=(size,)).astype(np.float64)
        rows.append(logits - np.logaddexp.reduce(logits))
        chunk = [token]
    llama_cpp.llama_free(context)
    llama_cpp.llama_model_free(model)
    return np.array(rows)


@pytest.mark.parametrize(
    "sampling",
    [
        greedy(10),
        seeded(4, 10),
        greedy(10, repeat_penalty=1.4, dry_multiplier=2.0),
        greedy(10, grammar="root ::= [a-z ]+"),
    ],
    ids=["greedy", "drawn", "penalized", "under a grammar"],
)
def test_logprobs_are_the_models_own(session, load, sampling):
    said = by_session(session, asked(KITE, sampling=replace(sampling, logprobs=4)))
    prompt = session.encode(asked(KITE).turns)
    drawn = session.context.tokens[len(prompt) :]
    assert len(said.tokens) >= len(drawn) - 1
    rows = raw_log_softmax(load.model_path, prompt, drawn)
    for told, row, token in zip(said.tokens, rows, drawn, strict=False):
        assert told.text == session.model.piece(token).decode("utf-8", "replace")
        assert told.logprob == pytest.approx(row[token], abs=0.02)
        best = np.argsort(-row)[:4]
        assert [logprob for _, logprob in told.likeliest] == pytest.approx(row[best], abs=0.02)
        assert told.likeliest[0][1] >= told.logprob


def test_logprobs_are_told_only_where_asked(session):
    assert by_session(session, asked(KITE)).tokens == []
    said = by_session(session, asked(KITE, sampling=greedy(logprobs=0)))
    assert said.tokens
    assert all(token.likeliest == () for token in said.tokens)


def logits_after(model: LlamaModel, sampling: Sampling, accepted: list[int], logits: np.ndarray) -> np.ndarray:
    """Logits after all links of a sampler but those that select."""
    sampler = Sampler(model, replace(sampling, temperature=0))
    for token in accepted:
        sampler.accept(token)
    data = (llama_cpp.llama_token_data * len(logits))(
        *((token, float(logit), 0.0) for token, logit in enumerate(logits))
    )
    array = llama_cpp.llama_token_data_array(data=data, size=len(logits), selected=-1, sorted=False)
    for index in range(llama_cpp.llama_sampler_chain_n(sampler._chain) - 1):
        llama_cpp.llama_sampler_apply(llama_cpp.llama_sampler_chain_get(sampler._chain, index), ctypes.byref(array))
    after = np.full(len(logits), np.nan, np.float32)
    for index in range(array.size):
        after[array.data[index].id] = array.data[index].logit
    sampler.close()
    return after


def some_logits(model: LlamaModel) -> np.ndarray:
    return np.random.default_rng(8).standard_normal(model.vocabulary).astype(np.float32) * 3


def test_the_repeat_penalty_divides_what_speaks_for_and_multiplies_what_speaks_against(tiny_model):
    logits, accepted = some_logits(tiny_model), [70, 80, 80, 90, 100]
    expected = logits.copy()
    for token in set(accepted):
        expected[token] = logits[token] / 1.3 if logits[token] > 0 else logits[token] * 1.3
    after = logits_after(tiny_model, Sampling(repeat_penalty=1.3), accepted, logits)
    np.testing.assert_allclose(after, expected, rtol=1e-5)


def test_dry_takes_from_the_token_that_would_repeat_the_longest_sequence(tiny_model):
    """multiplier * base ** (repeated - allowed) off the one that would go on as before; nothing off the others."""
    logits = some_logits(tiny_model)
    beginning = [70, 71, 72, 73]
    for repeated in range(1, 5):
        accepted = [*beginning, 99, 98, *beginning[4 - repeated :]]
        expected = logits.copy()
        if repeated >= 2:
            expected[99] -= 0.8 * 1.75 ** (repeated - 2)
        after = logits_after(tiny_model, Sampling(dry_multiplier=0.8), accepted, logits)
        np.testing.assert_allclose(after, expected, rtol=1e-5, err_msg=str(repeated))


def test_penalties_off_change_nothing(tiny_model):
    logits = some_logits(tiny_model)
    after = logits_after(tiny_model, Sampling(repeat_penalty=1.0, dry_multiplier=0.0), [70, 71, 70, 71], logits)
    assert np.array_equal(after, logits)


def test_penalties_look_at_the_reply_and_not_at_the_prompt(session):
    """The first token of a reply is the same, however often the prompt says it."""
    plain = by_session(session, asked(f"{KITE} {KITE} {KITE}", sampling=greedy(1))).text
    harsh = greedy(1, repeat_penalty=3.0, dry_multiplier=5.0)
    assert by_session(session, asked(f"{KITE} {KITE} {KITE}", sampling=harsh)).text == plain


def repeated_sequences(said: Said, session: Session) -> int:
    """How many runs of four tokens a reply had said before."""
    tokens = session.model.tokenize(said.text, parse_special=False)
    runs = list(zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False))
    return len(runs) - len(set(runs))


@pytest.mark.bundled
def test_penalized_replies_repeat_themselves_less():
    """Of several long replies: in which one the likeliest tokens go round in circles depends on the processor."""
    questions = [
        asked(text) for text in ("Write a long poem about the sea.", "List twenty animals.", "Say blue, often.")
    ]
    with closing(Session(Load(str(bundled_model()), WINDOW, tuning=Tuning(1)), AbortFlag())) as session:

        def repeated(**penalty: float) -> int:
            asking = [replace(question, sampling=greedy(128, **penalty)) for question in questions]
            return sum(repeated_sequences(by_session(session, each), session) for each in asking)

        plain = repeated()
        assert repeated(repeat_penalty=1.8) < plain
        assert repeated(dry_multiplier=3.0) < plain
