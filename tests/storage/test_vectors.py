"""Imported vectors against a raw connection; a removed one is in no byte of the folder."""

from __future__ import annotations

import json
import random
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.errors import NameTakenError, NotFoundError
from storage.records import MessageState, Origin, VectorUse
from storage.store import Store
from tests.storage.conftest import RawQuery

ROWS = "SELECT name, model_hint, width, blocks, strength, enabled, file FROM vectors ORDER BY id"
PROBE = 16


def made(seed: int, size: int = 40_000) -> bytes:
    """A file of many pages; storage does not look into it."""
    return random.Random(seed).randbytes(size)


def add(store: Store, name: str, file: bytes, **changes):
    values = {"model_hint": "llama", "width": 8, "blocks": (1, 2, 5), "strength": 1.0}
    return store.vectors.add(name, file, **(values | changes))


def found(folder: Path, file: bytes) -> int:
    """How many pieces of the file are anywhere in the folder (one that runs over the end of a page is not)."""
    content = b"".join(one.read_bytes() for one in folder.iterdir())
    return sum(file[start : start + PROBE] in content for start in range(0, len(file), 100))


def test_an_added_vector_is_on_and_kept_byte_for_byte(store: Store, raw: RawQuery):
    before = datetime.now(UTC).replace(microsecond=0)
    record = add(store, "formal", made(1), strength=-0.5)
    assert record == store.vectors.get("formal")
    assert before <= record.added_at <= datetime.now(UTC)
    assert (record.name, record.model_hint, record.width) == ("formal", "llama", 8)
    assert (record.blocks, record.strength, record.enabled) == ((1, 2, 5), -0.5, True)
    [(*values, blocks, strength, enabled, file)] = raw(ROWS)
    assert (values, json.loads(blocks), strength, enabled) == (["formal", "llama", 8], [1, 2, 5], -0.5, 1)
    assert file == made(1) == store.vectors.file("formal")


def test_vectors_outlive_the_program_in_the_order_in_which_they_came(path: Path):
    with Store(path) as store:
        for number, name in enumerate(("pirate", "formal", "日本")):
            add(store, name, made(number), model_hint="")
        store.vectors.set_strength("formal", 0.25)
        store.vectors.set_enabled("pirate", False)
        kept = store.vectors.list()
    with Store(path) as store:
        assert store.vectors.list() == kept
        assert [(one.name, one.strength, one.enabled) for one in kept] == [
            ("pirate", 1.0, False),
            ("formal", 0.25, True),
            ("日本", 1.0, True),
        ]
        assert store.vectors.file("日本") == made(2)


def test_a_change_is_of_one_vector_and_one_value(store: Store, raw: RawQuery):
    for number, name in enumerate(("formal", "pirate")):
        add(store, name, made(number))
    assert store.vectors.set_strength("pirate", -2.0).strength == -2.0
    assert store.vectors.set_enabled("pirate", False) == store.vectors.get("pirate")
    assert raw("SELECT name, strength, enabled FROM vectors ORDER BY id") == [("formal", 1.0, 1), ("pirate", -2.0, 0)]
    assert [row[-1] for row in raw(ROWS)] == [made(0), made(1)]


def test_a_name_is_taken_once(store: Store, raw: RawQuery):
    add(store, "formal", made(1))
    before = raw(ROWS)
    with pytest.raises(NameTakenError, match="formal: there is a vector of that name; choose another name"):
        add(store, "formal", made(2), strength=2.0)
    assert raw(ROWS) == before
    add(store, "Formal", made(2))
    store.vectors.delete("formal")
    add(store, "formal", made(3))
    assert [one.name for one in store.vectors.list()] == ["Formal", "formal"]


def test_what_is_not_there_is_said_and_nothing_changes(store: Store, raw: RawQuery):
    add(store, "formal", made(1))
    before = raw(ROWS)
    for act in (
        lambda: store.vectors.get("haiku"),
        lambda: store.vectors.file("haiku"),
        lambda: store.vectors.set_strength("haiku", 0.0),
        lambda: store.vectors.set_enabled("haiku", False),
        lambda: store.vectors.delete("haiku"),
    ):
        with pytest.raises(NotFoundError, match="haiku: no imported vector of that name"):
            act()
    assert raw(ROWS) == before
    assert raw("SELECT * FROM erasures") == []


@pytest.mark.parametrize("strength", [-2.01, 2.01, float("inf"), float("nan")])
def test_the_file_itself_refuses_a_strength_out_of_range(store: Store, raw: RawQuery, strength: float):
    add(store, "formal", made(1))
    with pytest.raises(sqlite3.IntegrityError):
        store.vectors.set_strength("formal", strength)
    with pytest.raises(sqlite3.IntegrityError):
        add(store, "pirate", made(2), strength=strength)
    assert raw("SELECT name, strength FROM vectors") == [("formal", 1.0)]


@pytest.mark.parametrize("size", [600, 40_000])
def test_a_removed_vector_is_in_no_byte_and_the_others_are_whole(store: Store, path: Path, size: int):
    for number in range(6):
        add(store, f"name-{number}", made(number, size))
        store.vectors.set_strength(f"name-{number}", 0.1)
    assert all(found(path.parent, made(number, size)) > size / 120 for number in range(6))
    for number in (1, 3, 4):
        store.vectors.delete(f"name-{number}")
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    for number in (1, 3, 4):
        assert found(path.parent, made(number, size)) == 0
        assert f"name-{number}".encode() not in content
    assert [one.name for one in store.vectors.list()] == ["name-0", "name-2", "name-5"]
    assert all(store.vectors.file(f"name-{number}") == made(number, size) for number in (0, 2, 5))


def test_a_reply_tells_which_vectors_steered_it(store: Store, raw: RawQuery):
    uses = (VectorUse("formal", 0.5), VectorUse("“pirate”", -1.25))
    talk = store.conversations.create()
    ended = {"state": MessageState.COMPLETE, "origin": Origin.GENERATED}
    steered = store.messages.add(talk.id, None, "assistant", "aye", vectors=uses, **ended)
    plain = store.messages.add(talk.id, steered.id, "assistant", "yes", **ended)
    assert [said.vectors for said in store.messages.branch(plain.id)] == [uses, ()]
    told = [json.loads(vectors) for (vectors,) in raw("SELECT vectors FROM messages ORDER BY id")]
    assert told == [[{"name": "formal", "strength": 0.5}, {"name": "“pirate”", "strength": -1.25}], []]
