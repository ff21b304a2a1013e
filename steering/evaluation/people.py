"""People to measure on: JSON Lines of `{"user_id", "item_id", "split", "order", "prompt", "text"}`."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from steering.items import PreferenceItem, Source


@dataclass(frozen=True, slots=True)
class Person:
    """What the assistant may know of somebody, and the texts it is measured on, oldest first."""

    user_id: str
    history: tuple[PreferenceItem, ...]
    test: tuple[PreferenceItem, ...]


def read_people(lines: Iterable[str]) -> list[Person]:
    """All people in the order in which they first appear; `continuation` goes before `text` where a line has it.

    Raises: ValueError: a line is no JSON object, or lacks a field; says which line.
    """
    rows: dict[str, list[dict[str, str]]] = {}
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            rows.setdefault(row["user_id"], []).append(row)
            row["split"], row["order"], row["prompt"], row["text"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise ValueError(f"line {number}: not a line of a person's texts ({error})") from error
    return [Person(user, _items(own, "history"), _items(own, "test")) for user, own in rows.items()]


def draw(people: Sequence[Person], count: int, seed: int, *, min_history: int, left_out: Iterable[str]) -> list[Person]:
    """`count` people with enough history and any test, in random order; `left_out` are user ids."""
    known = set(left_out)
    enough = [p for p in people if len(p.history) >= min_history and p.test and p.user_id not in known]
    random.Random(seed).shuffle(enough)
    return enough[:count]


def planted(person: Person, people: Sequence[Person], count: int, seed: int) -> Person:
    """The person with one history text of each of `count` other people strewn into the history, as if it were own."""
    draws = random.Random(f"{seed} {person.user_id}")
    others = draws.sample([other for other in people if other is not person and other.history], count)
    strange = [
        _strange(other, draws.randrange(len(other.history)), draws.uniform(0, len(person.history))) for other in others
    ]
    return replace(person, history=tuple(sorted((*person.history, *strange), key=lambda item: item.order)))


def _strange(other: Person, index: int, order: float) -> PreferenceItem:
    item = other.history[index]
    return replace(item, id=f"{other.user_id} {item.id}", order=order)


def _items(rows: Sequence[dict[str, str]], split: str) -> tuple[PreferenceItem, ...]:
    own = sorted((row for row in rows if row["split"] == split), key=lambda row: float(row["order"]))
    return tuple(
        PreferenceItem(
            str(row.get("item_id", f"{split}-{i}")),
            row["prompt"],
            row.get("continuation") or row["text"],
            Source.WRITING,
            float(i),
        )
        for i, row in enumerate(own)
    )
