"""Conversations as a whole: imported once, made longer by a newer export, out and back the same."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.entries import ParsedConversation, ParsedMessage, ReadOptions, VetoedPhrase
from storage.errors import InvalidImportError, NotFoundError
from storage.exporters import FORMATS
from storage.importers import read_entries
from storage.records import ImportCounts, ImportedText, MessageState, Origin, VectorUse
from storage.store import Store

BEGUN = datetime(2024, 1, 1, tzinfo=UTC)


def message(name: str, parent: str | None, text: str, **fields: Any) -> ParsedMessage:
    role = "assistant" if name.startswith("a") else "user"
    return ParsedMessage(name, parent, role, text, BEGUN, **fields)


def talk(*messages: ParsedMessage, name: str = "t1", **fields: Any) -> ParsedConversation:
    return ParsedConversation("chatgpt", name, "Ferns", messages, messages[-1].source_id, BEGUN, BEGUN, **fields)


SHORT = talk(message("q1", None, "Where do ferns grow?"), message("a1", "q1", "In shade."))
LONG = talk(
    *SHORT.messages,
    message("q2", "a1", "And what about moss?"),
    message("a2", "q2", "Too."),
    message("a3", "q1", "No."),
)


def test_importing_twice_adds_nothing(store: Store):
    assert store.transfer.add([SHORT]) == ImportCounts(conversations=1, messages=2)
    before = list(store.transfer.conversations())
    assert store.transfer.add([SHORT, SHORT]) == ImportCounts(known=4)
    assert list(store.transfer.conversations()) == before == [SHORT]


def test_a_longer_export_adds_what_is_new(store: Store, raw):
    store.transfer.add([SHORT])
    [(first, _)] = raw("SELECT id, title FROM conversations")
    assert store.transfer.add([LONG]) == ImportCounts(messages=3, known=2)
    assert raw("SELECT id FROM conversations") == [(first,)]
    texts = "SELECT m.text, p.text FROM messages m LEFT JOIN messages p ON p.id = m.parent_id ORDER BY m.id"
    assert raw(texts) == [
        ("Where do ferns grow?", None),
        ("In shade.", "Where do ferns grow?"),
        ("And what about moss?", "In shade."),
        ("Too.", "And what about moss?"),
        ("No.", "Where do ferns grow?"),
    ]
    assert [m.text for m in store.messages.branch(store.conversations.get(first).active_leaf_id)][-1] == "No."


def test_a_conversation_that_went_on_here_keeps_its_branch(store: Store):
    store.transfer.add([SHORT])
    [here] = store.conversations.list()
    own = store.messages.add(
        here.id, here.active_leaf_id, "user", "I go on", state=MessageState.COMPLETE, origin=Origin.TYPED
    )
    store.conversations.rename(here.id, "My title")
    store.transfer.add([LONG])
    [after] = store.conversations.list()
    assert (after.active_leaf_id, after.title) == (own.id, "My title")


def test_a_deleted_conversation_comes_back(store: Store):
    store.transfer.add([SHORT])
    [here] = store.conversations.list()
    store.conversations.trash(here.id)
    assert list(store.transfer.conversations()) == []
    assert store.transfer.add([SHORT]).known == 2
    assert [found.id for found in store.conversations.list()] == [here.id]


def test_the_same_number_in_another_program_is_another_conversation(store: Store):
    store.transfer.add([SHORT, replace(SHORT, source="claude")])
    assert len(store.conversations.list()) == 2


def test_what_the_person_said_elsewhere_is_learned_from_and_found(store: Store):
    store.transfer.add([LONG])
    said = [(own.text, before and before.text) for own, before in store.messages.typed()]
    assert said == [("Where do ferns grow?", None), ("And what about moss?", "In shade.")]
    assert [hit.snippet for hit in store.search.search("moss")] == ["And what about moss?"]


def test_a_batch_is_all_or_nothing(store: Store):
    broken = talk(message("q1", None, "x", rating=7), name="t2")
    with pytest.raises(sqlite3.IntegrityError):
        store.transfer.add([SHORT, broken])
    assert store.conversations.list() == []


def test_a_conversation_that_is_not_there(store: Store):
    with pytest.raises(NotFoundError, match="conversation 7"):
        list(store.transfer.conversations([7]))


# Round trips -----------------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=30)
WORDS = TEXTS.filter(str.strip)
"""Texts to learn from; one without a word is left out and counted (tests/fuzz/found/own)."""
TIMES = st.integers(0, 10**15).map(lambda microseconds: BEGUN + timedelta(microseconds=microseconds))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
STATS = st.none() | st.dictionaries(st.text(max_size=5), FINITE | st.text(max_size=5) | st.none(), max_size=3)
VECTORS = st.lists(st.builds(VectorUse, TEXTS, FINITE), max_size=2).map(tuple)
MESSAGES = st.builds(
    ParsedMessage,
    source_id=st.just(""),
    parent=st.none(),
    role=st.sampled_from(["system", "user", "assistant"]),
    text=TEXTS,
    created_at=TIMES,
    model=st.none() | TEXTS,
    reasoning=TEXTS,
    origin=st.sampled_from(Origin),
    state=st.sampled_from([state for state in MessageState if state is not MessageState.STREAMING]),
    rating=st.sampled_from([-1, 0, 1]),
    profile_version=st.none() | st.integers(0, 2**63 - 1),
    strength=st.none() | FINITE,
    vectors=VECTORS,
    stats=STATS,
    excluded=st.booleans(),
    claimed=st.booleans(),
)


WRITINGS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS, st.booleans()), max_size=3)


@st.composite
def trees(draw: st.DrawFn, source: str, name: str) -> ParsedConversation:
    """A random tree: each message below any earlier one or none, perhaps an edit of any earlier one."""
    messages: list[ParsedMessage] = []
    for number, made in enumerate(draw(st.lists(MESSAGES, max_size=8))):
        earlier = st.none() | st.sampled_from([m.source_id for m in messages]) if messages else st.none()
        own = f"{number}{draw(st.text(max_size=3))}"
        bounds = sorted(draw(st.sets(st.integers(0, len(made.text)), max_size=4)))
        pasted = tuple(zip(bounds[::2], bounds[1::2], strict=False))
        links = {"parent": draw(earlier), "edited_from": draw(earlier)}
        messages.append(replace(made, source_id=own, pasted=pasted, **links))
    return ParsedConversation(
        source=source,
        source_id=name,
        title=draw(TEXTS),
        messages=tuple(messages),
        active=draw(st.sampled_from([m.source_id for m in messages])) if messages else None,
        created_at=draw(TIMES),
        updated_at=draw(TIMES),
        title_given=draw(st.booleans()),
        pinned=draw(st.booleans()),
        archived=draw(st.booleans()),
        tags=tuple(sorted(draw(st.sets(st.sampled_from(["blue", "green", "ärger", "日本"]))))),
    )


@st.composite
def histories(draw: st.DrawFn) -> list[ParsedConversation]:
    names = draw(st.sets(st.tuples(st.sampled_from(["chatgpt", "llm"]), st.text(min_size=1, max_size=4)), max_size=3))
    return [draw(trees(source, name)) for source, name in sorted(names)]


def exported(store: Store) -> str:
    entries = [*store.transfer.conversations(), *store.transfer.texts()]
    return "".join(FORMATS["json"]([*entries, *map(VetoedPhrase, store.feedback.vetoed_phrases())]))


def read_back(folder: Path, export: str, into: Store) -> None:
    file = folder / "export.json"
    file.write_text(export, encoding="utf-8")
    found = list(read_entries(file, ReadOptions(folder)))
    into.transfer.add(entry for entry in found if isinstance(entry, ParsedConversation))
    into.writing.add_many((entry for entry in found if isinstance(entry, ImportedText)), "export.json")
    for entry in found:
        if isinstance(entry, VetoedPhrase):
            into.feedback.veto_phrase(entry.phrase)


def rows(store: Store, ignored: Iterable[str] = ()) -> dict[str, list[dict[str, Any]]]:
    """All that a history holds, on a raw connection, with numbers as places."""
    tables = (
        "conversations",
        "messages",
        "ratings",
        "tags",
        "writings",
        "excluded_items",
        "vetoed_phrases",
        "claimed_items",
    )
    with closing(sqlite3.connect(store.path)) as connection:
        connection.row_factory = sqlite3.Row
        found = {table: [dict(row) for row in connection.execute(f"SELECT * FROM {table}")] for table in tables}
    for row in (row for table in found.values() for row in table):
        for column in ignored:
            row.pop(column, None)
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    histories(), st.lists(st.tuples(TEXTS, WORDS, TEXTS, st.booleans()), max_size=3), st.sets(st.sampled_from("abc"))
)
def test_a_history_comes_back_the_same(tmp_path_factory: pytest.TempPathFactory, history, writings, vetoes):
    folder = tmp_path_factory.mktemp("home")
    with Store(folder / "one" / "h.db") as one, Store(folder / "two" / "h.db") as two:
        one.transfer.add(history)
        one.writing.add_many((ImportedText(p, t, BEGUN, None, o, x) for p, t, o, x in writings), "hand")
        for phrase in vetoes:
            one.feedback.veto_phrase(phrase)
        export = exported(one)
        read_back(folder, export, two)
        by_source = sorted(one.transfer.conversations(), key=lambda c: (c.source, c.source_id))
        assert by_source == history
        assert exported(two) == export
        read_back(folder, export, two)
        assert exported(two) == export


def test_a_chat_of_ours_comes_back_row_for_row(store: Store, tmp_path: Path):
    made = store.conversations.create("Mine")
    typed = {"state": MessageState.COMPLETE, "origin": Origin.TYPED}
    asked = store.messages.add(made.id, None, "user", "Why?", **typed, pasted=[(0, 3)])
    store.feedback.claim_item(f"message:{asked.id}")
    reply = store.messages.add(
        *(made.id, asked.id, "assistant", "So."),
        **{"state": MessageState.STREAMING, "origin": Origin.GENERATED, "model": "m.gguf", "strength": 0.5},
    )
    edit = store.messages.add(
        *(made.id, asked.id, "assistant", "Thus."),
        **{"state": MessageState.COMPLETE, "origin": Origin.EDITED, "edited_from": reply.id},
    )
    store.feedback.rate(reply.id, -1)
    store.feedback.exclude_item(f"message:{asked.id}")
    store.conversations.set_tags(made.id, ["b", "a"])
    store.writing.add("", "A text\0 of mine", "by hand")
    export = exported(store)
    with Store(tmp_path / "two" / "history.db") as two:
        read_back(tmp_path, export, two)
        ignored = ("source", "source_id", "writer")
        expected = rows(store, ignored)
        assert expected["messages"][1]["state"] == "streaming"
        expected["messages"][1]["state"] = "stopped"
        assert rows(two, ignored) == expected
        assert exported(two) == export
    read_back(tmp_path, export, store)
    assert exported(store) == export
    assert len(store.messages.siblings(edit.id)) == 2


def test_markdown_and_json_lines_show_the_shown_branch(store: Store, tmp_path: Path):
    store.transfer.add([replace(LONG, active="a2")])
    store.writing.add("Who asks?", "A text of mine.", "by hand")
    entries = [*store.transfer.conversations(), *store.transfer.texts()]
    markdown = "".join(FORMATS["markdown"](entries))
    headings = [line for line in markdown.splitlines() if line.startswith("#")]
    assert headings == ["# Ferns", "## You", "## Reply", "## You", "## Reply", "# A text of yours"]
    assert "No." not in markdown
    lines = "".join(FORMATS["jsonl"](entries))
    first, second = map(json.loads, lines.splitlines())
    assert [(m["role"], m["content"]) for m in first["messages"]] == [
        ("user", "Where do ferns grow?"),
        ("assistant", "In shade."),
        ("user", "And what about moss?"),
        ("assistant", "Too."),
    ]
    assert second == {"prompt": "Who asks?", "text": "A text of mine."}
    file = tmp_path / "export.jsonl"
    file.write_text(lines)
    again, own = read_entries(file, ReadOptions(tmp_path))
    assert isinstance(again, ParsedConversation)
    assert [m.text for m in again.messages] == [m["content"] for m in first["messages"]]
    assert own == ImportedText("Who asks?", "A text of mine.", None, 2)


MARK = {"private_assistant_history": 1}
WRONG = [
    ([{"private_assistant_history": 2}], r"was exported by a newer version \(2\)"),
    ([{"private_assistant_history": "x"}], "is no export of this assistant"),
    ([MARK, {"conversation": 5}], "entry 1: is not as this assistant exports it"),
    ([MARK, {"other": {}}], "entry 1"),
    ([MARK, {}], "entry 1"),
    ([MARK, 5], "entry 1"),
    ([MARK, {"text": {"prompt": 5, "text": "x"}}], r"entry 1: .*\(prompt\)"),
]


@pytest.mark.parametrize(("export", "complaint"), WRONG)
def test_an_export_that_is_not_ours_is_refused(tmp_path: Path, export: Any, complaint: str):
    file = tmp_path / "export.json"
    file.write_text(json.dumps(export))
    with pytest.raises(InvalidImportError, match=complaint):
        list(read_entries(file, ReadOptions(tmp_path)))


@pytest.mark.parametrize(
    "change",
    [
        {"parent": "gone"},
        {"edited_from": "q1"},
        {"rating": 5},
        {"profile_version": -1},
        {"role": "pope"},
        {"state": "unsure"},
        {"pasted": [[0, 7]]},
        {"pasted": [[-1, 2]]},
        {"pasted": [[3, 3]]},
        {"pasted": [[2, 4], [1, 3]]},
        {"pasted": [["a", 3]]},
        {"created_at": 5e300, "source_id": None},
    ],
)
def test_an_export_that_was_changed_is_refused(store: Store, tmp_path: Path, change: dict[str, Any]):
    store.transfer.add([talk(message("q1", None, "Where?"))])
    export = json.loads(exported(store))
    export[1]["conversation"]["messages"][0] |= change
    file = tmp_path / "export.json"
    file.write_text(json.dumps(export))
    with pytest.raises(InvalidImportError, match="entry 1: is not as this assistant exports it") as raised:
        list(read_entries(file, ReadOptions(tmp_path)))
    assert "Where?" not in str(raised.value)
