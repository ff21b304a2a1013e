"""Lines that cannot be used are named, the rest goes on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.evaluation.reading import people_of, person_key, read_texts


def line(user: str, split: str, order: float, text: str | None = None, **more: object) -> str:
    row = {"user_id": user, "split": split, "order": order, "prompt": "why?", "text": text or f"{split} {order}"}
    return json.dumps(row | more, ensure_ascii=False)


def file(*lines: str | bytes) -> bytes:
    return b"\n".join(one if isinstance(one, bytes) else one.encode() for one in lines)


def whole(user: str) -> list[str]:
    return [line(user, "history", i) for i in range(4)] + [line(user, "test", 9)]


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ("[" * 100_000, "not JSON"),
        (line("a", "train", 7), "neither"),
        (line("a", "test", 7, prompt=None), '"prompt"'),
        (line("a", "test", 7, text="  "), "empty"),
        (line("", "test", 7), "empty"),
        (line("a", "test", "7"), '"order"'),
        (line("a", "test", float("nan")), '"order"'),
        (line("a", "test", True), '"order"'),
        (line("a", "test", 7, text="ärger").encode("latin-1"), "not UTF-8"),
        (line("a", "history", 0, "another text"), "same id of a as in line 1"),
        (line("a", "test", 7, "history 0"), "same text of a as in line 1"),
        (line("a", "test", 7, user_id=["a"]), '"user_id"'),
        (line("a", "test", 10**400), '"order"'),
        (line("a", "test", 7, "  history\n0 "), "same text of a as in line 1"),
        (line("a", "history", 0.0, "another text"), "same id of a as in line 1"),
        (r'{"user_id": "a\ud800", "split": "test", "order": 7, "prompt": "", "text": "new"}', '"user_id"'),
        (
            r'{"user_id": "a", "item_id": "\udc00", "split": "test", "order": 7, "prompt": "", "text": "new"}',
            '"item_id"',
        ),
    ],
)
def test_a_line_that_cannot_be_used_is_named(broken, why):
    texts, left_out = read_texts(file(*whole("a"), broken, *whole("b")))
    assert [(one.line, why in one.why) for one in left_out] == [(6, True)]
    people, without = people_of(texts)
    assert [(p.user_id, len(p.history), len(p.test)) for p in people] == [("a", 4, 1), ("b", 4, 1)]
    assert without == []


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([line("x", "history", i) for i in range(5)], "x has no text in the split test"),
        ([line("x", "test", i) for i in range(2)], "x has no text in the split history"),
        ([line("x", "history", 0), line("x", "test", 1)], "x has 1 text of history, at least 4"),
        ([line("x", "test", 1)], "x has no text in the split history"),
    ],
)
def test_people_without_enough_are_left_out_line_by_line(lines, why):
    people, left_out = people_of(read_texts(file(*whole("a"), *lines))[0])
    assert [p.user_id for p in people] == ["a"]
    assert [one.line for one in left_out] == list(range(6, 6 + len(lines)))
    assert all(why in one.why for one in left_out)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_with_a_mark_are_read(encoding):
    lines = [*whole("ä"), line("ä", "history", 5, "grüße\U0001f600")]
    texts, left_out = read_texts("\r\n".join(lines).encode(encoding))
    (person,) = people_of(texts)[0]
    assert left_out == [] and person.history[-1].text == "grüße\U0001f600"


def test_what_continues_is_scored_and_the_order_counts():
    lines = [line("a", "history", 3, "later"), line("a", "history", 1, "opening rest", continuation="rest")]
    lines += [line("a", "history", i) for i in (2.5, 4)] + [line("a", "test", 0)]
    (person,) = people_of(read_texts(file(*lines))[0])[0]
    assert [item.text for item in person.history] == ["rest", "history 2.5", "later", "history 4"]


@pytest.mark.parametrize("orders", [[10**6 + i for i in range(5)], [10**15 + i for i in range(5)]])
@pytest.mark.parametrize("scale", [1, 1e-9])
def test_orders_are_told_apart_to_the_last_digit(orders, scale):
    lines = [line("a", "test" if i == 4 else "history", order * scale) for i, order in enumerate(orders)]
    texts, left_out = read_texts(file(*lines))
    assert left_out == [] and len({text.item.id for text in texts}) == 5


def test_a_key_changes_with_texts_and_not_with_other_people():
    first = people_of(read_texts(file(*whole("a"), *whole("b")))[0])[0][0]
    alone = people_of(read_texts(file(*whole("a")))[0])[0][0]
    more = people_of(read_texts(file(*whole("a"), line("a", "history", 5)))[0])[0][0]
    assert person_key(first) == person_key(alone) != person_key(more)


@given(st.binary())
def test_any_file_is_read(data):
    texts, left_out = read_texts(data)
    people_of(texts)
    assert all(one.why and one.line > 0 for one in left_out)
