"""Phrases, unfinished words and filters, against plain Python over the same messages."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage import search as searching
from storage.records import Message, MessageState, Origin, SearchFilter
from storage.search import match_expression
from storage.store import Store

WORDS = ("tomato", "tomatoes", "tom", "garden", "the", "then", "sun")
MODELS = ("small.gguf", "large.gguf")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory):
    """300 messages of a few words each, of all roles, origins, models, ratings; a day apart, not in order of time."""
    chance = random.Random(3)
    path: Path = tmp_path_factory.mktemp("filters") / "data" / "history.db"
    with Store(path) as store:
        talk = store.conversations.create()
        for number in range(300):
            own = chance.random() < 0.5
            origin = Origin.TYPED if own else chance.choice([Origin.GENERATED, Origin.EDITED])
            message = store.messages.add(
                *(talk.id, None, "user" if own else "assistant", " ".join(chance.choices(WORDS, k=5))),
                state=MessageState.COMPLETE,
                origin=origin,
                model=None if own else chance.choice(MODELS),
            )
            store.feedback.rate(message.id, chance.choice([-1, 0, 0, 1]))
            moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=(number * 37) % 300)
            store._db.write(
                "UPDATE messages SET created_at = ? WHERE id = ?",
                (moment.isoformat(timespec="microseconds"), message.id),
            )
        leaf = store.conversations.get(talk.id)
        everything = [store.messages.get(number) for number in range(1, 301)]
        assert leaf.active_leaf_id == 300
        yield store, everything


def passes(message: Message, only: SearchFilter) -> bool:
    rated = {None: True, "up": message.rating == 1, "down": message.rating == -1, "any": message.rating != 0}
    return (
        (only.after is None or message.created_at >= only.after)
        and (only.before is None or message.created_at < only.before)
        and (only.model is None or message.model == only.model)
        and (only.role is None or message.role == only.role)
        and rated[only.rated]
    )


def matches(text: str, expected: list[str]) -> bool:
    """Every part occurs: a word with a star as a beginning, several words one after the other."""
    padded = f" {text} "
    return all(f" {part.removesuffix('*')}" + ("" if part.endswith("*") else " ") in padded for part in expected)


QUERIES = [
    ("tom", ["tom*"]),
    ("tom ", ["tom"]),
    ("tom* sun ", ["tom*", "sun"]),
    ("the tom", ["the", "tom*"]),
    ('"the sun"', ["the sun"]),
    ('"the sun" gard', ["the sun", "gard*"]),
    ('"the tom', ["the tom*"]),
    ('gard* "sun the tom"', ["gard*", "sun the tom"]),
]
DAY = datetime(2026, 4, 1, tzinfo=UTC)
FILTERS = [
    SearchFilter(role=role, rated=rated, model=model, after=after, before=before)
    for role, rated, model, (after, before) in itertools.product(
        (None, "user", "assistant"),
        (None, "up", "down", "any"),
        (None, MODELS[0], "unknown.gguf"),
        ((None, None), (DAY, None), (None, DAY), (DAY, DAY + timedelta(days=60)), (DAY, DAY)),
    )
]


@pytest.mark.parametrize("ranked", [4000, 0])
@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_words_and_filters_find_what_plain_python_finds(filled, monkeypatch, query, expected, ranked):
    store, everything = filled
    monkeypatch.setattr(searching, "RANKED", ranked)
    for only in FILTERS:
        found = [hit.message_id for hit in store.search.search(query, only, limit=1000)]
        wanted = {m.id for m in everything if passes(m, only) and matches(m.text, expected)}
        assert len(found) == len(set(found))
        assert set(found) == wanted, only


def test_of_many_matches_the_newest_own_ones_come_first(filled, monkeypatch):
    store, everything = filled
    monkeypatch.setattr(searching, "RANKED", 0)
    found = [hit.message_id for hit in store.search.search("tom", limit=1000)]
    own = [m.id for m in everything if "tom" in m.text and (m.role == "user" or m.origin is Origin.EDITED)]
    replies = [m.id for m in everything if "tom" in m.text and m.id not in own]
    assert found == [*reversed(own), *reversed(replies)]


def test_the_limit_holds(filled):
    store, _ = filled
    assert len(store.search.search("tom", limit=7)) == 7


@pytest.mark.parametrize(
    ("query", "expression"),
    [
        ("", ""),
        ("  ", ""),
        ('"', ""),
        ('""', ""),
        ("one", '"one"*'),
        ("one ", '"one"'),
        ("one two", '"one" "two"*'),
        ('"one two"', '"one two"'),
        ('"one two', '"one two"*'),
        ('"one two ', '"one two "'),
        ('say"one two"now', '"say" "one two" "now"*'),
    ],
)
def test_the_expression(query: str, expression: str):
    assert match_expression(query) == expression
