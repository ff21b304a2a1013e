"""Replies of a session or of an engine process, gathered."""

from __future__ import annotations

from dataclasses import dataclass, field

from assistant.engine.process import Engine
from assistant.engine.protocol import Event, Finished, Generate, Piece, Sampling, Thought, TokenLogprob, Turn
from assistant.engine.reply import generate
from assistant.engine.session import Session


@dataclass
class Said:
    """What one side of a reply gave out."""

    text: str = ""
    thought: str = ""
    tokens: list[TokenLogprob] = field(default_factory=list)
    finished: Finished | None = None

    def take(self, event: Event) -> None:
        if isinstance(event, Thought):
            self.thought += event.text
        elif isinstance(event, Piece):
            self.text += event.text
            self.tokens += event.tokens
        elif isinstance(event, Finished):
            assert self.finished is None, "finished twice"
            self.finished = event

    @property
    def turn(self) -> Turn:
        return Turn("assistant", self.text, self.thought)

    @property
    def prefilled(self) -> int:
        return self.finished.prefilled_tokens


def greedy(length: int = 12, **changes) -> Sampling:
    return Sampling(temperature=0, max_tokens=length, **changes)


def seeded(seed: int, length: int = 12, **changes) -> Sampling:
    return Sampling(**({"temperature": 1.0, "top_k": 0, "seed": seed, "max_tokens": length} | changes))


def asked(*texts: str, sampling: Sampling | None = None, **changes) -> Generate:
    """A request: what a person and a model said in turns, the person last."""
    turns = tuple(Turn(("user", "assistant")[index % 2], text) for index, text in enumerate(texts))
    return Generate(turns, sampling or greedy(), **changes)


def sides_by_session(session: Session, request: Generate) -> tuple[Said, Said]:
    sides = Said(), Said()
    generate(session, request, lambda event: sides[getattr(event, "side", 0)].take(event))
    return sides


def by_session(session: Session, request: Generate) -> Said:
    return sides_by_session(session, request)[0]


async def sides_by_engine(engine: Engine, request: Generate) -> tuple[Said, Said]:
    sides = Said(), Said()
    async for event in engine.generate(request):
        sides[getattr(event, "side", 0)].take(event)
    return sides


async def by_engine(engine: Engine, request: Generate) -> Said:
    return (await sides_by_engine(engine, request))[0]
