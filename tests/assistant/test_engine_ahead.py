"""On a GPU the next token is computed while the text of one is given out: every reply is the same as on a CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from assistant.engine.abort import AbortFlag
from assistant.engine.protocol import Generate, Load, Tuning, Turn
from assistant.engine.session import Session
from assistant.models.bundled import bundled_model
from tests.assistant.replies import Said, asked, by_session, greedy, seeded, sides_by_session

QUESTION = asked("Tell me a story about a lighthouse.", sampling=greedy(24))
REQUESTS = {
    "greedy": QUESTION,
    "drawn": replace(QUESTION, sampling=seeded(3, 24)),
    "stop string": replace(QUESTION, sampling=replace(greedy(40), stop=("the ",))),
    "log-probabilities": replace(QUESTION, sampling=replace(greedy(12), logprobs=2)),
    "grammar": replace(QUESTION, sampling=replace(greedy(24), grammar='root ::= "a" root | "b" root | "."')),
    "to the end of the window": replace(QUESTION, sampling=greedy(1000)),
    "goes on": replace(
        QUESTION, turns=(*QUESTION.turns, Turn("assistant", "Once upon a")), continue_last=True, sampling=greedy(12)
    ),
    "two sides": replace(QUESTION, plain_turns=(Turn("user", "Why is the sky blue?"),)),
}


@pytest.fixture(params=["tiny", pytest.param("bundled", marks=pytest.mark.bundled)])
def session(request, tiny) -> Iterator[Session]:
    path = tiny if request.param == "tiny" else bundled_model()
    with closing(Session(Load(str(path), 256, tuning=Tuning(1)), AbortFlag(), prefix_budget=2**26)) as made:
        yield made


def replied(session: Session, request: Generate, *, ahead: bool, monkeypatch) -> tuple[Said, Said]:
    """Both sides without what a clock says; the second time, so that the cache is used as well."""
    monkeypatch.setattr("assistant.engine.reply.supports_gpu", lambda: ahead)
    sides_by_session(session, request)
    sides = sides_by_session(session, request)
    for said in sides:
        if said.finished:
            said.finished = replace(said.finished, seconds=0.0, first_token_seconds=0.0, seed=0)
    return sides


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_the_reply_is_the_same(session, request_, monkeypatch):
    expected = replied(session, request_, ahead=False, monkeypatch=monkeypatch)
    assert replied(session, request_, ahead=True, monkeypatch=monkeypatch) == expected
    assert expected[0].text


@pytest.mark.parametrize("ahead", [False, True])
def test_what_was_drawn_before_a_stop_is_given_out(session, ahead, monkeypatch):
    """Also where the stop comes while the next token is computed."""
    whole = replied(session, replace(QUESTION, sampling=greedy(8)), ahead=ahead, monkeypatch=monkeypatch)[0]
    drawn, evaluate = 0, session.context.append

    def stopping(token: int) -> None:
        nonlocal drawn
        drawn += 1
        if drawn == 3:
            session.context.abort.set()
        evaluate(token)

    monkeypatch.setattr(session.context, "append", stopping)
    stopped = by_session(session, replace(QUESTION, sampling=greedy(100)))
    session.context.abort.clear()
    assert (stopped.finished.reason, stopped.finished.reply_tokens) == ("stopped", 3)
    assert stopped.text and whole.text.startswith(stopped.text)
    again = by_session(session, replace(QUESTION, sampling=greedy(3)))
    assert again.text == stopped.text
