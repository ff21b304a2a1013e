"""Which earlier items stand for the person, and what of the effects is scored again when something changes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from steering.effects.history import ITEM_TOKENS, EffectKey, history_slot, plan
from steering.effects.token_effects import TokenEffects
from steering.items import PreferenceItem, Source
from steering.learning import HANDED_OVER_AT_ONCE, ScoredHistory, score_history
from steering.models.estimator import Estimator

WORDS = ("garden", "rice", "roses", "train", "hello", "rain", "you", "cup", "late", "key")
Cache = dict[EffectKey, TokenEffects]


def item(order: int, text: str, context: str = "", source: Source = Source.WRITING) -> PreferenceItem:
    return PreferenceItem(f"i{order}", context, text, source, float(order))


def token_count(tokenizer, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else 0


def made(count: int, seed: int = 0, words: int = 12) -> list[PreferenceItem]:
    draw = random.Random(seed)
    return [item(i, " ".join(draw.choices(WORDS, k=words)) + f" {i}") for i in range(count)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 60)), max_size=12),
    budget=st.integers(1, 500),
    seed=st.integers(0, 99),
)
@example(lengths=[(11, 25), (0, 1)], budget=150, seed=44)
def test_every_history_is_earlier_and_fits_its_budget(tokenizer, lengths, budget, seed):
    draw = random.Random(seed)
    items = [
        item(i, " ".join(draw.choices(WORDS, k=text)), " ".join(draw.choices(WORDS, k=asked)))
        for i, (asked, text) in enumerate(lengths)
    ]
    jobs = plan(items, tokenizer, budget)
    assert [job.item for job in jobs] == items
    for job in jobs:
        orders = [h.order for h in job.history]
        assert all(order < job.item.order for order in orders)
        assert orders == list(range(int(orders[0]), int(orders[0]) + len(orders))) if orders else True
        assert job.left_out == job.item.order - len(orders)
        slots = [history_slot([h], tokenizer).removeprefix("Request: ").removeprefix("Text: ") for h in job.history]
        # Each part by itself: side by side the last letters of a request would join the first of its answer.
        tokens = [sum(token_count(tokenizer, part) for part in slot.split("\nAnswer: ")) for slot in slots]
        assert sum(tokens) <= budget
        assert all(count <= ITEM_TOKENS for count in tokens)


def test_the_first_item_has_no_history_and_the_next_two_have_all_before_them(tokenizer):
    first, second, third = plan(made(3), tokenizer, 600)
    assert [[h.order for h in job.history] for job in (first, second, third)] == [[], [0.0], [0.0, 1.0]]


def test_a_long_history_has_few_different_contexts_and_goes_with_the_time(tokenizer):
    """Read once for many: a few histories for 400 items, of which the last is not from long ago."""
    jobs = plan(made(400), tokenizer, 600)
    histories = {job.context_hash: job.history for job in jobs}
    assert 6 <= len(histories) <= 24
    assert all(sum(token_count(tokenizer, h.text) for h in history) > 500 for history in list(histories.values())[-3:])
    assert jobs[-1].history[-1].order > 80


def test_the_slot_shortens_request_and_answer(tokenizer):
    long = item(0, "rain " * 300, "why? " * 300)
    slot = history_slot([long, item(1, "short", "asked")], tokenizer)
    request, answer = slot.split("\n\n")[0].removeprefix("Request: ").split("\nAnswer: ")
    assert token_count(tokenizer, request) == ITEM_TOKENS // 3
    assert token_count(tokenizer, answer) == ITEM_TOKENS - ITEM_TOKENS // 3
    assert slot.endswith("Request: asked\nAnswer: short")


def rebuilt(estimator: Estimator, items: Sequence[PreferenceItem], cached: Cache) -> tuple[ScoredHistory, set[str]]:
    """Score what is not cached; the cache then holds everything. Also returns the ids of the items scored now."""
    before = set(cached)
    handed: dict[EffectKey, tuple[str, TokenEffects]] = {}
    found = score_history(estimator, items, dict(cached), handed.update, lambda _: None)
    cached |= {key: effects for key, (_, effects) in handed.items()}
    return found, {item_id for key, (item_id, _) in handed.items() if key not in before}


def handed_over(estimator: Estimator, items: Sequence[PreferenceItem], cached: Cache) -> list[list[str]]:
    """Item ids of every message."""
    messages: list[list[str]] = []

    def keep(found: dict[EffectKey, tuple[str, TokenEffects]]) -> None:
        messages.append([item_id for item_id, _ in found.values()])

    score_history(estimator, items, cached, keep, lambda _: None)
    return messages


def test_what_is_known_is_handed_over_only_where_it_is_in_doubt_and_in_small_messages(estimator, two_hundred):
    items, cached = two_hundred
    assert handed_over(estimator, items, cached) == []
    older = {replace(key, context_hash="of before"): effects for key, effects in cached.items()}
    messages = handed_over(estimator, items, cached | older)
    assert sorted(item_id for of_one in messages for item_id in of_one) == sorted(item.id for item in items)
    assert max(map(len, messages)) <= HANDED_OVER_AT_ONCE < len(items)


@pytest.fixture(scope="module")
def two_hundred(estimator) -> tuple[list[PreferenceItem], Cache]:
    items, cached = made(200, seed=3, words=4), {}
    found, scored = rebuilt(estimator, items, cached)
    assert len(scored) == 200 and found.tokens_cached == 0
    assert found.tokens_scored == sum(token_count(estimator.tokenizer, i.text) for i in items)
    return items, cached


def test_of_two_hundred_items_and_a_new_one_only_that_is_scored(estimator, two_hundred):
    items, cached = two_hundred
    new = item(200, "a new text about the garden")
    found, scored = rebuilt(estimator, [*items, new], dict(cached))
    assert scored == {new.id}
    assert found.tokens_scored == token_count(estimator.tokenizer, new.text)
    assert found.tokens_cached == sum(token_count(estimator.tokenizer, i.text) for i in items)


def test_nothing_new_scores_nothing(estimator, two_hundred):
    items, cached = two_hundred
    found, scored = rebuilt(estimator, items, dict(cached))
    assert (found.tokens_scored, scored) == (0, set())


@pytest.mark.parametrize("place", [0, 3, 17, 60, 120, 199])
def test_an_excluded_item_is_missed_only_by_those_it_stood_for(estimator, two_hundred, place):
    items, cached = dict(enumerate(two_hundred[0])), dict(two_hundred[1])
    gone = items.pop(place)
    jobs = plan(two_hundred[0], estimator.tokenizer, estimator.limits.history)
    needed = {job.item.id for job in jobs if gone in job.history}
    _, scored = rebuilt(estimator, list(items.values()), cached)
    assert scored == needed
    _, back = rebuilt(estimator, two_hundred[0], cached)
    assert back == set(), "taken back in, everything is known"
    latest = handed_over(estimator, two_hundred[0], cached)
    assert needed <= {item_id for of_one in latest for item_id in of_one}, "of two records the right one is the latest"


@pytest.mark.parametrize("place", [0, 17, 120])
def test_an_edited_item_is_scored_with_those_it_stood_for(estimator, two_hundred, place):
    items, cached = list(two_hundred[0]), dict(two_hundred[1])
    jobs = plan(items, estimator.tokenizer, estimator.limits.history)
    needed = {job.item.id for job in jobs if items[place] in job.history} | {items[place].id}
    edited = replace(items[place], text=items[place].text + " edited")
    items[place] = edited
    assert edited.scored_hash != two_hundred[0][place].scored_hash
    _, scored = rebuilt(estimator, items, cached)
    assert needed <= scored
    # Its new hash may open a chapter, or no longer; then its neighbours of that chapter follow.
    chapters = [
        {job.item.id: job.context_hash for job in plan(i, estimator.tokenizer, 600)} for i in (items, two_hundred[0])
    ]
    assert scored == {edited.id} | {i for i in chapters[0] if chapters[0][i] != chapters[1][i]}


def test_another_rejected_reply_scores_nothing(estimator, two_hundred):
    items, cached = two_hundred
    changed = [replace(one, negative="another reply") for one in items]
    _, scored = rebuilt(estimator, changed, dict(cached))
    assert scored == set()


def test_another_estimator_scores_anew(estimator, two_hundred):
    items, cached = two_hundred
    found, scored = rebuilt(replace(estimator, fingerprint="another"), items[:3], dict(cached))
    assert (found.tokens_cached, scored) == (0, {"i0", "i1", "i2"})


def test_what_was_left_out_is_counted(estimator):
    long = [item(i, "why? " * 2500 if i == 2 else "rain " * 200) for i in range(9)]
    found = score_history(estimator, long, {}, lambda _: None, lambda _: None)
    tokens = token_count(estimator.tokenizer, long[2].text)
    assert found.tokens_left_out == tokens - 2048 > 0
    assert found.history_shown + found.history_left_out == sum(range(9))
    assert found.history_left_out > 0
    assert found.tokens_scored == sum(len(e.starts) for e in found.effects.values())


def test_a_thousand_copies_of_one_text(estimator):
    copies = [replace(item(i, "the same garden"), id=f"copy {i}") for i in range(1000)]
    found = score_history(estimator, copies, {}, lambda _: None, lambda _: None)
    assert len(found.effects) == 1000
    assert len({effects.effects for effects in found.effects.values()}) < 40


@pytest.mark.parametrize("text", ["", " ", "x", "\x00", "\ud800", "\u0301", "😀", "\n\n\n"])
def test_the_smallest_texts_have_effects_for_all_of_their_tokens(estimator, text):
    items = [*made(3), item(3, text, "why?")]
    found = score_history(estimator, items, {}, lambda _: None, lambda _: None).effects["i3"]
    covered = "".join(text[start:end] for start, end in zip(found.starts, found.ends, strict=True))
    assert covered == text
    assert all(abs(effect) < 100 for effect in found.effects)
