"""The neutral set: what a steering vector must do no harm on (METHOD: damage guard).

All of it was written for this product; nothing comes from a data set or benchmark. Changing an entry changes
every harm figure measured before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """A four-way multiple choice question with exactly one right choice.

    Attributes:
        question: the question, with what must be read to answer it.
        choices: the four choices, 1 to 6 words each.
        answer: index of the right choice, 0 to 3; each index is right equally often over the set.
    """

    question: str
    choices: tuple[str, str, str, str]
    answer: int


@dataclass(frozen=True, slots=True)
class NeutralSet:
    """What a model does alike for every person, in any style.

    Attributes:
        prompts: everyday requests, for the model's own unsteered replies (KL, repetition, reply length).
        texts: expository texts of 50 to 80 words, a few in other registers (NLL in nats/token).
        questions: multiple choice questions (accuracy).
    """

    prompts: tuple[str, ...]
    texts: tuple[str, ...]
    questions: tuple[Question, ...]


@cache
def load_neutral_set() -> NeutralSet:
    """Return the set that ships with the package; read once in a process.

    Raises:
        FileNotFoundError: the installation lacks one of the JSON files.
    """
    return NeutralSet(
        prompts=tuple(_read("prompts.json")),
        texts=tuple(_read("texts.json")),
        questions=tuple(_parse_question(entry) for entry in _read("questions.json")),
    )


def _read(name: str) -> list[Any]:
    entries: list[Any] = json.loads(files(__name__).joinpath(name).read_text(encoding="utf-8"))
    return entries


def _parse_question(entry: dict[str, Any]) -> Question:
    first, second, third, fourth = entry["choices"]
    return Question(entry["question"], (first, second, third, fourth), entry["answer"])
