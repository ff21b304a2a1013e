"""`python -m tests.benchmarks.visible DATA.jsonl RESULTS.jsonl`: can a reader see whose replies they are?

Takes the people and vectors of `assistant evaluate DATA.jsonl` (RESULTS is the file of results that it keeps) and lets
the chat model answer their test requests: unsteered, with the description as system prompt, with the vector, with both,
under the default sampling. `--strengths` are shares of the dose at which the vectors were compared. `--pairs FILE`
writes unsteered and steered replies side by side in random order, for a blind test.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from assistant.rebuild.llama_chat import LlamaChat
from assistant.settings import Settings
from steering.calibration.replies import repetition
from steering.control_vector import ControlVector
from steering.description import template_description
from steering.evaluation.attribution import Recognised, StyleClassifier, recognised
from steering.evaluation.people import Person
from steering.learning import neutral_replies
from steering.prompts import description_system
from tests.benchmarks.model import add_model_option
from tests.benchmarks.steered_people import steered_people, tell

REQUESTS = 6
REPLY_TOKENS = 80
OTHERS = 40


def replies(
    chat: LlamaChat, person: Person, description: str, vector: ControlVector, strengths: Sequence[float]
) -> Iterator[tuple[str, list[str]]]:
    """Every way of replying by its name, unsteered first."""
    requests = [item.context for item in person.test[:REQUESTS]]

    def answer(system: str, steered: ControlVector | None) -> list[str]:
        return chat.replies(requests, system=system, vector=steered, max_tokens=REPLY_TOKENS)

    yield "unsteered", answer("", None)
    yield "description", answer(description, None)
    for strength in strengths:
        yield f"vector x {strength:g}", answer("", vector * strength)
        yield f"both x {strength:g}", answer(description, vector * strength)


def judge(
    chat: LlamaChat,
    people: Sequence[tuple[Person, ControlVector]],
    strengths: Sequence[float],
    on_pairs: Callable[[list[str]], None],
) -> dict[str, list[dict[str, float]]]:
    """By way of replying, one row a person."""
    neutral = neutral_replies(chat, (), lambda _: None).replies
    rows: dict[str, list[dict[str, float]]] = {}
    for number, (person, vector) in enumerate(people):
        tell(f"{number + 1} of {len(people)}")
        own = [item.text for item in person.history]
        others = [item.text for other, _ in people if other is not person for item in other.history]
        random.Random(0).shuffle(others)
        classifier = StyleClassifier(own, [*others[:OTHERS], *neutral])
        # The phrases of a description come from effects, which are not kept; its habits are what can be seen.
        description = description_system(template_description(person.history, ()))
        unsteered: list[str] = []
        for name, given in replies(chat, person, description, vector, strengths):
            unsteered = unsteered or given
            found: Recognised = recognised(classifier, own, unsteered, given)
            repeated = float(np.mean([repetition(reply) for reply in given]))
            length = float(np.mean([len(reply.split()) for reply in given]))
            rows.setdefault(name, []).append({**asdict(found), "repetition": repeated, "words": length})
            if name == "vector x 1":
                on_pairs(pairs(person, unsteered, given))
        held = [item.text for item in person.test[:REQUESTS]]
        found = recognised(classifier, own, unsteered, held)
        rows.setdefault("the person's own", []).append({**asdict(found), "repetition": 0.0, "words": 0.0})
    tell("")
    return rows


def pairs(person: Person, unsteered: Sequence[str], steered: Sequence[str]) -> list[str]:
    """Lines of a blind test: which of `a` and `b` is steered stands in `steered`, for whoever reads the answers."""
    lines = []
    for item, plain, changed in zip(person.test, unsteered, steered, strict=False):
        first = random.Random(item.id).random() < 0.5
        a, b = (changed, plain) if first else (plain, changed)
        row = {"prompt": item.context, "a": a, "b": b, "steered": "a" if first else "b", "by": item.text}
        lines.append(json.dumps(row, ensure_ascii=False))
    return lines


def table(rows: dict[str, list[dict[str, float]]]) -> str:
    """Markdown, means over people."""
    names = ("share", "probability", "habits_nearer", "repetition", "words")
    lines = [f"| reply | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for name, own in rows.items():
        figures = (f"{np.mean([row[column] for row in own]):.2f}" for column in names)
        lines.append(f"| {name} | {' | '.join(figures)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("results", type=Path)
    add_model_option(parser)
    parser.add_argument("--strengths", type=float, nargs="+", default=[1.0, 1.5])
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    chat = LlamaChat(arguments.model, Settings().sampling.as_sampling(), None)
    people = steered_people(arguments.data, arguments.results, chat.architecture)
    blind: list[str] = []
    rows = judge(chat, people, arguments.strengths, blind.extend)
    if arguments.pairs:
        arguments.pairs.write_text("\n".join(blind) + "\n")
    print(json.dumps(rows) if arguments.json else table(rows))


if __name__ == "__main__":
    main()
