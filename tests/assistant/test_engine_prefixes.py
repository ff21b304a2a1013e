"""Prompts that were left and came back: contexts that never left, and fresh ones, are the oracles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.engine.abort import AbortFlag
from assistant.engine.llama import LlamaContext, LlamaModel
from assistant.engine.prefixes import MOST_KEPT, WORTH_TOKENS, Prefixes
from assistant.engine.protocol import Load, Tuning, Turn
from assistant.engine.session import Session
from assistant.models.bundled import bundled_model
from tests.assistant.replies import asked, by_session, greedy, seeded

BUDGET = 2**28
TUNING = Tuning(1)
KITE = "How do I fly a kite when the wind hardly blows over the hill?"
SOUP = "Which soup goes well with dark bread and the last of the winter's leeks?"
BOTH_MODELS = pytest.mark.parametrize("which", ["tiny", pytest.param("bundled", marks=pytest.mark.bundled)])

Open = Callable[..., Session]


@pytest.fixture
def open_session(tiny) -> Iterator[Open]:
    made: list[Session] = []

    def opened(which: str = "tiny", budget: int = BUDGET) -> Session:
        path = tiny if which == "tiny" else bundled_model()
        made.append(Session(Load(str(path), 1024, tuning=TUNING), AbortFlag(), prefix_budget=budget))
        return made[-1]

    yield opened
    for session in made:
        session.close()


@pytest.fixture(scope="module")
def tiny_model(tiny) -> Iterator[LlamaModel]:
    with LlamaModel(tiny) as model:
        yield model


def directions(session: Session, seed: int = 1) -> dict[int, np.ndarray]:
    random = np.random.default_rng(seed)
    return {block: random.standard_normal(session.model.width).astype(np.float32) for block in (1, 2)}


def random_tokens(count: int, seed: int) -> list[int]:
    return [int(token) for token in np.random.default_rng(seed).integers(3, 250, count)]


def fresh_logits(model: LlamaModel, tokens: list[int], vector: dict[int, np.ndarray] | None = None) -> np.ndarray:
    with closing(LlamaContext(model, 1024, TUNING)) as context:
        context.set_control_vector(vector)
        context.evaluate(tokens)
        return context.logits()


@BOTH_MODELS
def test_two_conversations_in_turn_are_read_once_and_answered_as_if_never_left(open_session, which):
    """Each has a session of its own as the oracle, and one session has both."""
    both, apart = open_session(which), {KITE: open_session(which), SOUP: open_session(which)}
    conversations = {KITE: [KITE], SOUP: [SOUP]}
    held: dict[str, list[int]] = {KITE: [], SOUP: []}
    for turn in range(3):
        for start, said in conversations.items():
            sampling = greedy(10) if turn < 2 else seeded(5, 10)
            reply, alone = (by_session(one, asked(*said, sampling=sampling)) for one in (both, apart[start]))
            assert reply.text == alone.text
            assert reply.prefilled == alone.prefilled or (turn == 0 and start == SOUP)  # they begin alike
            prompt = both.encode(asked(*said).turns)
            if turn:  # the noise of the tiny model is written otherwise than it was drawn; of what is not, all is known
                assert reply.prefilled == len(prompt) - common(prompt, held[start])
            held[start] = list(both.context.tokens)
            said += [reply.text, "and more of the same, please"]


@BOTH_MODELS
def test_logits_after_coming_back_are_those_of_the_cache_that_was_left(open_session, which):
    session, stayed = open_session(which), open_session(which)
    for one in (session, stayed):
        by_session(one, asked(KITE))
    by_session(session, asked(SOUP))
    more = session.encode(asked(KITE, "With patience.", "And then, when it falls?").turns)
    for one in (session, stayed):
        one.read(more, 0, lambda done, total: None)
    assert session.context.tokens == stayed.context.tokens == more
    assert np.array_equal(session.context.logits(), stayed.context.logits())


@BOTH_MODELS
@pytest.mark.parametrize("elsewhere", [False, True], ids=["at once", "after another conversation"])
def test_another_reply_to_the_same_prompt_reads_nothing_and_obeys_its_seed(open_session, which, elsewhere):
    session = open_session(which)
    first = by_session(session, asked(KITE, sampling=seeded(11)))
    other = by_session(session, asked(KITE, sampling=seeded(12)))
    if elsewhere:
        by_session(session, asked(SOUP))
    again = by_session(session, asked(KITE, sampling=seeded(11)))
    assert first.prefilled == first.finished.prompt_tokens
    assert (other.prefilled, again.prefilled) == (0, 0)
    assert again.text == first.text != other.text


@BOTH_MODELS
def test_the_vector_off_on_off_brings_each_prefix_back_and_mixes_nothing(open_session, which):
    session = open_session(which)
    vector, tokens = directions(session), session.encode(asked(KITE).turns)
    expected = {
        strength: fresh_logits(session.model, tokens, {k: row * np.float32(strength) for k, row in vector.items()})
        for strength in (0.0, 1.0, 0.5)
    }
    assert not np.array_equal(expected[0.0], expected[1.0])
    evaluated = []
    for strength in (0.0, 1.0, 0.0, 1.0, 0.5, 1.0, 0.0, 0.5):
        session.steer(vector if strength else {}, strength)
        evaluated.append(session.read(tokens, 0, lambda done, total: None))
        assert np.array_equal(session.context.logits(), expected[strength])
    assert evaluated == [len(tokens), len(tokens), 0, 0, len(tokens), 0, 0, 0]


def test_another_vector_of_the_same_strength_finds_nothing_of_the_first(open_session):
    session = open_session()
    tokens = session.encode(asked(KITE).turns)
    for seed in (1, 2, 1, 3):
        vector = directions(session, seed)
        session.steer(vector, 1.0)
        session.read(tokens, 0, lambda done, total: None)
        assert np.array_equal(session.context.logits(), fresh_logits(session.model, tokens, vector))


def test_an_edited_question_keeps_the_beginning_and_the_branch_that_was_left(open_session):
    session = open_session()
    turns = (KITE, "First answer, of some length.", "And a second question?")
    first = by_session(session, asked(*turns))
    edited = by_session(session, asked(KITE, "First answer, of some length.", "Quite another question!"))
    assert 0 < edited.prefilled < edited.finished.prompt_tokens // 2
    assert by_session(session, asked(*turns)).prefilled == 0
    assert by_session(session, asked(*turns)).text == first.text


def common(one: list[int], other: list[int]) -> int:
    return next((at for at, pair in enumerate(zip(one, other, strict=False)) if len(set(pair)) > 1), len(other))


def kept(prefixes: Prefixes) -> list[tuple[int, ...]]:
    return [saved.held.tokens for saved in prefixes._saved]


def kept_bytes(prefixes: Prefixes) -> int:
    """What is really held, counted once each: states and logits."""
    arrays = {id(saved.state): saved.state for saved in prefixes._saved}
    arrays |= {id(read.logits): read.logits for saved in prefixes._saved for read in saved.reads}
    return sum(array.nbytes for array in arrays.values())


def test_the_least_recently_used_makes_room(tiny_model):
    prompts = [random_tokens(100, seed) for seed in range(4)]
    with closing(LlamaContext(tiny_model, 1024, TUNING)) as context:
        context.evaluate(prompts[0])
        prefixes = Prefixes(context, int(2.5 * context.save().nbytes))
        for prompt in prompts[1:]:
            prefixes.read(prompt)
            prefixes.keep()
        assert kept(prefixes) == [tuple(prompts[2]), tuple(prompts[3])]
        assert prefixes.read(prompts[2]) == 0
        prefixes.keep()
        prefixes.read(prompts[0])
        prefixes.keep()
        assert kept(prefixes) == [tuple(prompts[2]), tuple(prompts[0])]


@pytest.mark.parametrize("length", [WORTH_TOKENS + 8, 300])
def test_what_is_kept_never_takes_more_than_the_budget(tiny_model, length):
    with closing(LlamaContext(tiny_model, 1024, TUNING)) as context:
        context.evaluate(random_tokens(length, 0))
        budget = 3 * context.state_bytes
        prefixes = Prefixes(context, budget)
        most = 0
        for seed in range(30):
            prefixes.read(random_tokens(length, seed % 11))
            most = max(most, kept_bytes(prefixes))
        assert 0 < most <= budget


def test_only_so_many_are_kept_however_small_they_are(tiny_model):
    with closing(LlamaContext(tiny_model, 1024, TUNING)) as context:
        prefixes = Prefixes(context, BUDGET)
        prompts = [random_tokens(60, seed) for seed in range(MOST_KEPT + 4)]
        for prompt in prompts:
            prefixes.read(prompt)
        prefixes.keep()
        assert kept(prefixes) == [tuple(prompt) for prompt in prompts[4:]]


def test_without_a_budget_nothing_is_kept(open_session):
    session = open_session(budget=0)
    first = by_session(session, asked(KITE))
    by_session(session, asked(SOUP))
    again = by_session(session, asked(KITE))
    assert again.text == first.text
    assert again.prefilled > first.finished.prompt_tokens // 2
    assert kept(session._prefixes) == []


def test_short_prompts_and_beginnings_of_kept_ones_are_not_kept(tiny_model):
    long = random_tokens(200, 1)
    with closing(LlamaContext(tiny_model, 1024, TUNING)) as context:
        prefixes = Prefixes(context, BUDGET)
        prefixes.read(random_tokens(WORTH_TOKENS - 1, 2))
        prefixes.keep()
        assert kept(prefixes) == []
        for end in (80, 140, 200):
            prefixes.read(long[:end])
            prefixes.keep()
        assert kept(prefixes) == [tuple(long)]


def test_a_state_that_cannot_be_put_back_is_read_anew(open_session):
    session = open_session()
    first = by_session(session, asked(KITE))
    by_session(session, asked(SOUP))
    session._prefixes._saved = [replace(saved, state=saved.state[:40].copy()) for saved in session._prefixes._saved]
    again = by_session(session, asked(KITE))
    assert again.text == first.text
    assert again.prefilled == again.finished.prompt_tokens


def test_a_session_that_is_closed_keeps_nothing(tiny: Path):
    session = Session(Load(str(tiny), 1024, tuning=TUNING), AbortFlag(), prefix_budget=BUDGET)
    by_session(session, asked(KITE))
    by_session(session, asked(SOUP))
    assert kept(session._prefixes)
    session.close()
    assert kept(session._prefixes) == []


def test_an_unfinished_reply_goes_on_exactly_after_another_conversation(open_session):
    session, stayed = open_session(), open_session()
    whole = by_session(stayed, asked(KITE, sampling=greedy(24)))
    first = by_session(session, asked(KITE, sampling=greedy(10)))
    by_session(session, asked(SOUP))
    turns = (*asked(KITE).turns, Turn("assistant", first.text))
    rest = by_session(session, replace(asked(sampling=greedy(14)), turns=turns, continue_last=True))
    if whole.text.startswith(first.text) and "\ufffd" not in first.text:
        assert whole.text.startswith(first.text + rest.text[:4])
    assert rest.prefilled < rest.finished.prompt_tokens // 2
