"""People read from a file as it comes: what cannot be used is named line by line, the rest goes on."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from steering.calibration.split import MIN_ITEMS
from steering.evaluation.lines import LeftOutLine, UnusableError, json_object, numbered_lines, text_field
from steering.evaluation.people import Person
from steering.items import PreferenceItem, Source

SPLITS = ("history", "test")


@dataclass(frozen=True, slots=True)
class Text:
    """One usable line."""

    line: int
    user_id: str
    split: str
    item: PreferenceItem


def read_texts(data: bytes) -> tuple[list[Text], list[LeftOutLine]]:
    """The usable lines of `{"user_id", "split", "order", "prompt", "text"}`, and the others with the reason.

    UTF-8, or UTF-16 and UTF-32 with their mark. `item_id` may stand in a line, and `continuation`, which goes before
    `text`.
    A text that a person's line before it holds already is left out, or the vector would be tested on what made it.
    """
    texts: list[Text] = []
    left_out: list[LeftOutLine] = []
    seen: dict[tuple[str, ...], int] = {}
    for number, line in numbered_lines(data):
        try:
            text, keys = _parsed(line, number)
            known = next((key for key in keys if key in seen), None)
            if known:
                raise UnusableError(f"the same {known[0]} of {text.user_id} as in line {seen[known]}")
        except UnusableError as error:
            left_out.append(LeftOutLine(number, str(error)))
            continue
        seen |= dict.fromkeys(keys, number)
        texts.append(text)
    return texts, left_out


def people_of(texts: Sequence[Text]) -> tuple[list[Person], list[LeftOutLine]]:
    """People with enough history (MIN_ITEMS texts) and a test, in the order in which they first appear; and the lines
    of the others."""
    by_user: dict[str, list[Text]] = {}
    for text in texts:
        by_user.setdefault(text.user_id, []).append(text)
    people: list[Person] = []
    left_out: list[LeftOutLine] = []
    for user, own in by_user.items():
        history, test = (_ordered(own, split) for split in SPLITS)
        why = _unusable(user, len(history), len(test))
        if why:
            left_out += [LeftOutLine(text.line, why) for text in own]
        else:
            people.append(Person(user, history, test))
    return people, left_out


def person_key(person: Person) -> str:
    """Hash of all that results of a person depend on: texts, their requests, order and split (hex, 32 characters)."""
    parts = [[(item.id, item.scored_hash) for item in items] for items in (person.history, person.test)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _unusable(user: str, history: int, test: int) -> str:
    if not test or not history:
        return f"{user} has no text in the split {SPLITS[0] if not history else SPLITS[1]}"
    if history < MIN_ITEMS:
        return f"{user} has {history} text{'s' * (history != 1)} of history, at least {MIN_ITEMS} are needed"
    return ""


def _parsed(line: str | bytes, number: int) -> tuple[Text, list[tuple[str, ...]]]:
    """A line's text, and what no other line of the person may repeat: (what it is called, user, value)."""
    row = json_object(line)
    user, split, prompt = (_string(row, name) for name in ("user_id", "split", "prompt"))
    written = _string(row, "continuation" if row.get("continuation") else "text")
    _encodable("user_id", user)
    if split not in SPLITS:
        raise UnusableError(f'"split" is {split!r}, neither "history" nor "test"')
    if not user or not written.strip():
        raise UnusableError("its text or user_id is empty")
    order = _number(row, "order")
    item_id = _encodable("item_id", str(row.get("item_id") or f"{split} {order}"))
    # A rebuild takes texts that differ in their spacing for the same, too.
    keys: list[tuple[str, ...]] = [("id", user, item_id), ("text", user, " ".join(written.split()))]
    return Text(number, user, split, PreferenceItem(item_id, prompt, written, Source.WRITING, float(order))), keys


def _number(row: dict[str, Any], name: str) -> int | float:
    """A number that a float can hold, exactly as it stands; a whole one as an integer."""
    found = row.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise UnusableError(f'"{name}" is no number')
    try:
        held = float(found)
    except OverflowError:
        held = math.inf
    if not math.isfinite(held):
        raise UnusableError(f'"{name}" is no number below 1e308')
    return int(found) if held.is_integer() else found


def _encodable(name: str, found: str) -> str:
    """A name that can be written to a file: one half of a surrogate pair cannot."""
    try:
        found.encode()
    except UnicodeEncodeError:
        raise UnusableError(f'"{name}" has half of a surrogate pair, which is no character') from None
    return found


def _string(row: dict[str, Any], name: str) -> str:
    found = row.get(name)
    if name == "user_id" and isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return text_field(row, name)


def _ordered(texts: Sequence[Text], split: str) -> tuple[PreferenceItem, ...]:
    own = sorted((text for text in texts if text.split == split), key=lambda text: text.item.order)
    return tuple(replace(text.item, order=float(i)) for i, text in enumerate(own))
