"""People made of stated preferences: JSON Lines of PrefEval (arXiv 2502.09597), read and dealt out.

A line has `{"item_id", "topic", "preference", "question", "options", "correct_index"}`: what somebody once said of
themselves, a question whose plain answer tends to forget it, and answers of which one respects it.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from steering.evaluation.lines import LeftOutLine, UnusableError, json_object, numbered_lines, text_field
from steering.items import PreferenceItem, Source


@dataclass(frozen=True, slots=True)
class Preference:
    """A preference and what it is asked by; `options[right]` respects it, every other option violates it."""

    id: str
    topic: str
    statement: str
    question: str
    options: tuple[str, ...]
    right: int


@dataclass(frozen=True, slots=True)
class Follower:
    """A person with these preferences, in the order in which they were stated."""

    user_id: str
    preferences: tuple[Preference, ...]


def read_preferences(data: bytes) -> tuple[dict[int, Preference], list[LeftOutLine]]:
    """The usable lines by their number, and the others with the reason. Encodings as in `numbered_lines`."""
    found: dict[int, Preference] = {}
    left_out: list[LeftOutLine] = []
    seen: dict[str, int] = {}
    for number, line in numbered_lines(data):
        try:
            preference = _parsed(json_object(line))
            if preference.id in seen:
                raise UnusableError(f"the same item_id as in line {seen[preference.id]}")
        except UnusableError as error:
            left_out.append(LeftOutLine(number, str(error)))
            continue
        seen[preference.id] = number
        found[number] = preference
    return found, left_out


def deal(preferences: Sequence[Preference], each: int, seed: int, count: int | None = None) -> list[Follower]:
    """People of `each` preferences of different topics, no preference twice; at most `count`, all without it.

    The deck is shuffled once and every person takes the first of each topic from its top: who comes first is the same
    for any `count`. What is left when the topics run out goes to nobody.
    """
    deck = list(preferences)
    random.Random(seed).shuffle(deck)
    people: list[Follower] = []
    while count is None or len(people) < count:
        hand: dict[str, Preference] = {}
        for preference in deck:
            if len(hand) < each:
                hand.setdefault(preference.topic, preference)
        if len(hand) < each:
            break
        taken = {preference.id for preference in hand.values()}
        deck = [preference for preference in deck if preference.id not in taken]
        people.append(Follower(f"person {len(people) + 1}", tuple(hand.values())))
    return people


def history_of(preferences: Sequence[Preference]) -> tuple[PreferenceItem, ...]:
    """What the database would hold of somebody who opened one conversation for each preference by stating it.

    A message of their own that answers nothing; neither the question nor any option is in it.
    """
    return tuple(
        PreferenceItem(preference.id, "", preference.statement, Source.OWN_MESSAGE, float(order))
        for order, preference in enumerate(preferences)
    )


def follower_key(follower: Follower) -> str:
    """Hash of all that results of a person depend on (hex, 32 characters); their name is not among it."""
    parts = [astuple(preference) for preference in follower.preferences]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def others_among(keys: Sequence[str]) -> dict[str, str]:
    """Whose profile is another person's, by key: the next one's for the first, for others the one's before.

    So it is the same however many people come after them. Who is alone has nobody.
    """
    if len(keys) < 2:
        return {}
    return {key: keys[place - 1] if place else keys[1] for place, key in enumerate(keys)}


def _parsed(row: dict[str, Any]) -> Preference:
    item_id, topic, statement, question = (text_field(row, name) for name in ("item_id", "topic", *_SAID))
    if not all(text.strip() for text in (item_id, topic, statement, question)):
        raise UnusableError("its item_id, topic, preference or question is empty")
    options, right = row.get("options"), row.get("correct_index")
    if options is None:
        raise UnusableError("it has no options")
    if not isinstance(options, list) or not all(isinstance(option, str) and option.strip() for option in options):
        raise UnusableError('"options" is no list of texts')
    if len({option.strip() for option in options}) < max(2, len(options)):
        raise UnusableError("fewer than two options, or two that are equal")
    if isinstance(right, bool) or not isinstance(right, int) or not 0 <= right < len(options):
        raise UnusableError('"correct_index" is not the place of an option')
    return Preference(item_id, topic, statement, question, tuple(options), right)


_SAID = ("preference", "question")
