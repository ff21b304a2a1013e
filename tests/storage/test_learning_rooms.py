"""Feedback, writings, effects, profiles."""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.effects import KEPT_PER_ITEM
from storage.errors import NotFoundError
from storage.records import EffectKey, EffectRecord, ImportedText, SteeringState, writing_item_id
from storage.store import Store
from tests.storage.conftest import RawQuery


def test_ratings(store: Store, raw: RawQuery):
    with pytest.raises(ValueError, match="rating 2"):
        store.feedback.rate(1, 2)
    assert raw("SELECT count(*) FROM ratings") == [(0,)]


def test_exclusions(store: Store):
    store.feedback.exclude_item("message:1")
    store.feedback.exclude_item("message:1")
    store.feedback.exclude_item("writing:1")
    assert store.feedback.excluded_items() == {"message:1", "writing:1"}
    store.feedback.include_item("message:1")
    store.feedback.include_item("message:9")
    assert store.feedback.excluded_items() == {"writing:1"}


def test_claims(store: Store):
    store.feedback.claim_item("message:1")
    store.feedback.claim_item("message:1")
    store.feedback.claim_item("message:2")
    assert store.feedback.claimed_items() == {"message:1", "message:2"}
    assert store.feedback.excluded_items() == set()
    store.feedback.disclaim_item("message:1")
    store.feedback.disclaim_item("message:9")
    assert store.feedback.claimed_items() == {"message:2"}


def test_vetoes_ignore_case_and_keep_the_first_spelling(store: Store):
    for phrase in ("Straße", "STRASSE", " to be honest ", "Apples"):
        store.feedback.veto_phrase(phrase)
    assert store.feedback.vetoed_phrases() == ["Apples", "Straße", "to be honest"]
    store.feedback.allow_phrase("strasse")
    assert store.feedback.vetoed_phrases() == ["Apples", "to be honest"]


def test_a_writing_is_kept_once(store: Store):
    when = datetime(2020, 2, 29, 12, tzinfo=timezone(timedelta(hours=2)))
    writing, is_new = store.writing.add("How?", "Like \ud800this.", "imported", when)
    assert is_new
    assert writing.text == "Like \ufffdthis."
    assert writing.created_at == when
    assert writing.created_at.tzinfo is UTC
    assert store.writing.add("How?", "Like \ud800this.", "typed") == (writing, False)
    other, is_new = store.writing.add("", "How?Like \ufffdthis.", "typed")
    assert is_new
    assert store.writing.list() == [writing, other]
    assert store.writing.get(other.id) == other


def test_a_writing_in_other_code_points_is_the_same(store: Store, raw: RawQuery):
    composed, decomposed = "Caf\u00e9 \u00e0 la carte", "Cafe\u0301 a\u0300 la carte"
    writing, _ = store.writing.add("", decomposed, "mails")
    assert writing.text == decomposed
    assert store.writing.add("", composed, "export") == (writing, False)
    assert store.writing.add_many([ImportedText(decomposed, decomposed)], "mails").texts == 1
    assert store.writing.add_many([ImportedText(composed, composed)], "mails").known == 1
    assert raw("SELECT text FROM writings ORDER BY id") == [(decomposed,), (decomposed,)]


def test_an_import_is_all_or_nothing(store: Store, raw: RawQuery):
    def broken():
        yield ImportedText("", "one")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.writing.add_many(broken(), "imported")
    assert raw("SELECT count(*) FROM writings") == [(0,)]
    texts = [ImportedText("", "one"), ImportedText("p", "one"), ImportedText("", "one")]
    counts = store.writing.add_many(texts, "imported")
    assert (counts.texts, counts.known) == (2, 1)
    assert raw("SELECT prompt, text, origin FROM writings ORDER BY id") == [
        ("", "one", "imported"),
        ("p", "one", "imported"),
    ]


def effect(item_id: str, item_hash: str = "i", context_hash: str = "c", logp: float = -1.0) -> EffectRecord:
    key = EffectKey(item_hash, context_hash, "estimator", "method")
    return EffectRecord(key, item_id, (0, 3), (3, 9), (logp, -0.5), (-2.0, -0.25), ("message:0", "writing:7"))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(width=32, allow_nan=False), max_size=30), st.integers(0, 2**31 - 1))
def test_float32_comes_back_exactly(store: Store, values: list[float], last: int):
    numbers = tuple(values)
    offsets = tuple(last for _ in numbers)
    record = EffectRecord(EffectKey("i", "c", "e", "m"), "message:1", offsets, offsets, numbers, numbers)
    store.effects.put_many([record])
    [found] = store.effects.for_items(["message:1"])
    assert found == record
    assert [math.copysign(1, x) for x in found.logp_with] == [math.copysign(1, x) for x in numbers]


def test_effects_are_compact_float32(store: Store, raw: RawQuery):
    store.effects.put_many([effect("message:1", logp=-0.1)])
    assert raw("SELECT starts, logp_with FROM effects") == [(struct.pack("<2i", 0, 3), struct.pack("<2f", -0.1, -0.5))]


def test_each_item_keeps_its_own_effects(store: Store, raw: RawQuery):
    old, new = effect("message:1", "old"), effect("message:1", "new")
    twin = effect("message:2", "old")
    store.effects.put_many([old, new, twin])
    assert raw("SELECT count(*) FROM effects") == [(3,)]
    assert store.effects.for_items(["message:1"]) == [old, new]
    store.effects.put_many([effect("message:1", "old", logp=-7.0)])
    assert raw("SELECT count(*) FROM effects") == [(3,)]
    assert store.effects.for_items(["message:1"]) == [new, effect("message:1", "old", logp=-7.0)]
    assert store.effects.for_items(["message:2"]) == [twin]
    assert store.effects.for_items(["message:3"]) == []


def test_the_newest_effects_of_an_item_stay(store: Store):
    for n in range(9):
        store.effects.put_many([effect("message:1", "one", f"context {n}"), effect("message:2", "two", "context")])
    found = store.effects.for_items(["message:1", "message:9"])
    assert [record.key.context_hash for record in found] == [f"context {n}" for n in range(9 - KEPT_PER_ITEM, 9)]
    assert store.effects.for_items(["message:2"]) == [effect("message:2", "two", "context")]
    assert store.effects.for_items([]) == []


def test_what_is_stored_again_is_the_latest(store: Store):
    before, after = (effect("message:1", "i", context) for context in ("before", "after"))
    store.effects.put_many([before, after])
    store.effects.put_many([before])
    assert store.effects.for_items(["message:1"]) == [after, before]


def add_profile(store: Store, **changes):
    told = {
        "model_fingerprint": "model",
        "inputs_hash": "inputs",
        "outcome": {"items": 3, "curve": [{"strength": 1.0, "gain": 0.125}]},
        "description": "short sentences",
        "vector": b"\0GGUF\xff",
        "item_hashes": {"message:1": "aa", "writing:1": "bb"},
    }
    return store.profiles.add(**{**told, **changes})


def test_profile_versions(store: Store):
    assert store.profiles.latest() is None
    first, second = add_profile(store), add_profile(store, vector=None, item_hashes={})
    assert (first.version, second.version) == (1, 2)
    assert store.profiles.list() == [second, first]
    assert store.profiles.latest() == second
    third = add_profile(store, inputs_hash="others")
    assert (store.profiles.latest(), store.profiles.latest(but="others")) == (third, second)
    assert store.profiles.latest(but="inputs") == third
    store.profiles.delete(3)
    assert store.profiles.get(1) == first
    assert first.vector == b"\0GGUF\xff"
    assert first.outcome == {"items": 3, "curve": [{"strength": 1.0, "gain": 0.125}]}
    assert first.item_hashes == {"message:1": "aa", "writing:1": "bb"}
    assert (first.stale, first.description_edited) == (False, False)
    store.profiles.set_description(1, "in my words")
    changed = store.profiles.get(1)
    assert (changed.description, changed.description_edited, changed.stale) == ("in my words", True, False)


def test_which_version_is_in_use(store: Store):
    assert store.profiles.state() == SteeringState(None, False, 1.0)
    add_profile(store)
    assert store.profiles.set_state(version=1, enabled=True, strength=0.5) == SteeringState(1, True, 0.5)
    assert store.profiles.set_state(enabled=False) == SteeringState(1, False, 0.5)
    assert store.profiles.set_state(strength=0.0) == SteeringState(1, False, 0.0)
    with pytest.raises(NotFoundError):
        store.profiles.set_state(version=2, enabled=True)
    assert store.profiles.state() == SteeringState(1, False, 0.0)


def test_deleting_the_version_in_use_switches_steering_off(store: Store):
    add_profile(store)
    store.profiles.set_state(version=1, enabled=True, strength=0.5)
    store.profiles.delete(1)
    assert store.profiles.state() == SteeringState(None, False, 0.5)
    assert add_profile(store).version == 2


def test_what_is_not_there(store: Store):
    for call in (
        lambda: store.profiles.get(7),
        lambda: store.profiles.delete(7),
        lambda: store.profiles.set_description(7, ""),
        lambda: store.writing.get(7),
        lambda: store.writing.delete(7),
    ):
        with pytest.raises(NotFoundError, match="7"):
            call()


def test_deleting_a_writing_makes_its_profiles_stale(store: Store, raw: RawQuery):
    writing, _ = store.writing.add("", "mine", "typed")
    item_id = writing_item_id(writing.id)
    add_profile(store, item_hashes={item_id: "aa", "message:9": "bb"})
    add_profile(store, item_hashes={"message:9": "bb"})
    store.effects.put_many([effect(item_id), effect("message:9")])
    store.writing.delete(writing.id)
    assert [profile.stale for profile in store.profiles.list()] == [False, True]
    assert store.profiles.get(1).item_hashes == {"message:9": "bb"}
    assert raw("SELECT item_id FROM effects") == [("message:9",)]


def test_effects_that_a_deleted_writing_had_part_in_go_with_it(store: Store, raw: RawQuery):
    writing, _ = store.writing.add("", "mine", "typed")
    compared = replace(effect("message:8"), history=("message:1", writing_item_id(writing.id)))
    store.effects.put_many([compared, effect("message:9")])
    store.writing.delete(writing.id)
    assert raw("SELECT item_id FROM effects") == [("message:9",)]
