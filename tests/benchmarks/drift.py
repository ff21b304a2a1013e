"""`python -m tests.benchmarks.drift DATA.jsonl RESULTS.jsonl`: steer every position, or generated tokens only?

Takes the people and vectors of `assistant evaluate DATA.jsonl` (RESULTS is the file of results that it keeps). Both are
scaled to the same mean KL on the model's own neutral replies (0.1 nats), in llama.cpp, and compared on conversations of
ten turns: the gain on the person's test texts alone and at the end of such a conversation, and what ten turns of the
model's own replies drift to.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from assistant.engine.abort import AbortFlag
from assistant.engine.llama import LlamaContext, Sampler
from assistant.engine.protocol import Load, Tuning, Turn
from assistant.engine.session import Session
from assistant.rebuild.llama_chat import LlamaChat, spare_cores
from assistant.settings import Settings
from steering.calibration.replies import repetition
from steering.calibration.tuning import NeutralReplies
from steering.control_vector import ControlVector
from steering.evaluation.attribution import StyleClassifier
from steering.evaluation.names import KL
from steering.evaluation.people import Person
from steering.items import PreferenceItem
from steering.learning import neutral_replies
from tests.benchmarks.model import add_model_option
from tests.benchmarks.steered_people import steered_people, tell

TURNS = 10
WINDOW = 4096
REQUEST_CHARACTERS = 240
TEXT_TOKENS = 80
REPLY_TOKENS = 64
KL_REPLIES = 8
STEPS = 4
"""Tries to meet the KL."""
SAMPLING = Settings().sampling.as_sampling()
"""What people chat with who have set nothing."""

Directions = Mapping[int, npt.NDArray[np.float32]]
Floats = npt.NDArray[np.float32]
Rows = dict[str, dict[str, float]]
"""Figures by way."""


class PositionwiseContext(LlamaContext):
    """A context that keeps each position as it was read when the vector changes."""

    _switching = False

    def switch(self, directions: Directions) -> None:
        """Put a vector in force for what is read from now on."""
        self._switching = True
        self.set_control_vector(directions)
        self._switching = False

    def clear(self) -> None:
        """Empty the cache, but not for a change of the vector."""
        if not self._switching:
            super().clear()


@dataclass(frozen=True, slots=True)
class Way:
    """What is in force while a prompt is read, and while a reply is."""

    prompt: Directions
    reply: Directions


class Conversations:
    """Reads and writes conversations with one model, steered in any way."""

    def __init__(self, model: Path) -> None:
        self._session = Session(Load(str(model)), AbortFlag())
        self._context = PositionwiseContext(self._session.model, WINDOW, Tuning(spare_cores()))

    def logprobs(self, turns: Sequence[Turn], text: str, way: Way) -> tuple[list[int], Floats]:
        """The text's tokens after the turns, and the distribution of each, [tokens, vocabulary], nats."""
        prompt = self._session.encode(turns)
        tokens = self._session.model.tokenize(text, parse_special=False)[:TEXT_TOKENS]
        self._context.switch(way.prompt)
        rows = [self._context.next_token_logprobs(prompt, len(prompt) - 1)]
        self._context.switch(way.reply)
        if len(tokens) > 1:
            rows.append(self._context.next_token_logprobs([*prompt, *tokens[:-1]], len(prompt)))
        return tokens, np.concatenate(rows)

    def nll(self, turns: Sequence[Turn], text: str, way: Way) -> tuple[float, int]:
        """Summed NLL in nats and number of tokens."""
        tokens, rows = self.logprobs(turns, text, way)
        return -float(rows[np.arange(len(tokens)), tokens].sum()), len(tokens)

    def reply(self, turns: Sequence[Turn], way: Way, seed: int) -> str:
        """The model's own next turn."""
        self._context.switch(way.prompt)
        self._context.evaluate(self._session.encode(turns))
        self._context.switch(way.reply)
        sampler = Sampler(self._session.model, replace(SAMPLING, seed=seed))
        pieces: list[bytes] = []
        for _ in range(REPLY_TOKENS):
            token = sampler.draw(self._context)
            if self._session.model.is_end(token):
                break
            pieces.append(self._session.model.piece(token))
            self._context.append(token)
        sampler.close()
        return b"".join(pieces).decode("utf-8", "ignore")

    def clear(self) -> None:
        """Forget what was read: another vector's positions look alike."""
        self._context.clear()


WAYS: dict[str, Callable[[Directions], Way]] = {
    "unsteered": lambda _: Way({}, {}),
    "all positions": lambda vector: Way(vector, vector),
    "generated tokens": lambda vector: Way({}, vector),
}


def judge(conversations: Conversations, neutral: NeutralReplies, person: Person, vector: ControlVector) -> Rows:
    """One row a way: gains in nats/token, and figures of the model's own replies by third of the conversation."""
    own = [item.text for item in person.history]
    classifier = StyleClassifier(own, neutral.replies)
    plain = [measured(conversations, person, items, Way({}, {})) for items in (0, TURNS)]
    rows = {}
    for name, way in WAYS.items():
        strength = 0.0 if name == "unsteered" else at_kl(conversations, neutral, vector, way)
        chosen = way((vector * strength).directions)
        alone, late = (measured(conversations, person, turns, chosen) for turns in (0, TURNS))
        replies = talk(conversations, [*person.test, *person.history], chosen)
        rows[name] = {
            "strength": strength,
            "gain_alone": plain[0] - alone,
            "gain_late": plain[1] - late,
            **{f"repetition_{when}": repeated(replies, span) for when, span in SPANS.items()},
            **{
                f"words_{when}": float(np.mean([len(r.split()) for r in replies[span]])) for when, span in SPANS.items()
            },
            **{f"own_{when}": float(np.mean(classifier.probabilities(replies[span]))) for when, span in SPANS.items()},
        }
    return rows


SPANS = {"early": slice(0, 3), "late": slice(7, TURNS)}


def measured(conversations: Conversations, person: Person, turns: int, way: Way) -> float:
    """Mean NLL in nats/token of the test texts: each alone (`turns` 0), or as the last turns of a conversation."""
    total, count = 0.0, 0
    before = [*person.history[-max(0, turns - len(person.test)) :]] if turns else []
    said: list[Turn] = [turn for item in before for turn in exchange(item)]
    conversations.clear()
    for item in person.test[:TURNS]:
        asked, answered = exchange(item)
        summed, tokens = conversations.nll([*said, asked], item.text, way)
        total, count = total + summed, count + tokens
        said = [*said, asked, answered] if turns else []
    return total / count


def exchange(item: PreferenceItem) -> tuple[Turn, Turn]:
    """A request and its text, cut so that ten fit the window."""
    return Turn("user", item.context[-REQUEST_CHARACTERS:]), Turn("assistant", item.text[: 4 * TEXT_TOKENS])


def talk(conversations: Conversations, items: Sequence[PreferenceItem], way: Way) -> list[str]:
    """The model's own replies in a conversation of ten turns about the items' requests."""
    said: list[Turn] = []
    replies = []
    conversations.clear()
    for seed, item in enumerate(items[:TURNS]):
        said.append(exchange(item)[0])
        replies.append(conversations.reply(said, way, seed))
        said.append(Turn("assistant", replies[-1]))
    return replies


def repeated(replies: Sequence[str], span: slice) -> float:
    """Share of repeated 4-grams within the replies of a span taken together."""
    return repetition(" ".join(replies[span]))


def at_kl(
    conversations: Conversations, neutral: NeutralReplies, vector: ControlVector, way: Callable[[Directions], Way]
) -> float:
    """The strength at which the mean KL on neutral replies is KL, within a tenth."""
    pairs = [pair for pair in zip(neutral.requests, neutral.replies, strict=True) if pair[1].strip()][:KL_REPLIES]
    conversations.clear()
    plain = [conversations.logprobs([Turn("user", asked)], reply, Way({}, {}))[1] for asked, reply in pairs]
    strength = 1.0
    for _ in range(STEPS):
        conversations.clear()
        steered = way((vector * strength).directions)
        total, count = 0.0, 0
        for (asked, reply), p in zip(pairs, plain, strict=True):
            q = conversations.logprobs([Turn("user", asked)], reply, steered)[1]
            total, count = total + float((np.exp(p) * (p - q)).sum()), count + len(p)
        found = total / count
        if 0.9 <= found / KL <= 1.1:
            break
        strength *= math.sqrt(KL / found)
    return strength


def table(rows: Sequence[Rows]) -> str:
    """Markdown, means over people."""
    names = list(next(iter(rows[0].values())))
    lines = [f"| steered | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for way in WAYS:
        lines.append(f"| {way} | {' | '.join(f'{np.mean([row[way][n] for row in rows]):.3f}' for n in names)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("results", type=Path)
    add_model_option(parser)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    chat = LlamaChat(arguments.model, SAMPLING, None)
    people = steered_people(arguments.data, arguments.results, chat.architecture)
    neutral = neutral_replies(chat, (), lambda _: None, few=True)
    conversations = Conversations(arguments.model)
    rows = []
    for number, (person, vector) in enumerate(people, 1):
        tell(f"{number} of {len(people)}")
        rows.append(judge(conversations, neutral, person, vector))
    tell("")
    print(json.dumps(rows) if arguments.json else table(rows))


if __name__ == "__main__":
    main()
