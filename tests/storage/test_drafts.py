"""Drafts by conversation, and what was sent before."""

from __future__ import annotations

from pathlib import Path

from storage.records import MessageState, Origin
from storage.store import Store
from tests.storage.conftest import RawQuery


def say(store: Store, conversation_id: int, text: str, origin: Origin = Origin.TYPED, role: str = "user") -> None:
    store.messages.add(conversation_id, None, role, text, state=MessageState.COMPLETE, origin=origin)


def test_every_conversation_and_the_chat_not_begun_has_one_draft(path: Path, raw: RawQuery):
    with Store(path) as store:
        talk = store.conversations.create("a talk").id
        for text in ("half", "half a sentence"):
            store.drafts.keep(talk, text)
            store.drafts.keep(None, f"new: {text}")
    with Store(path) as store:
        assert store.drafts.get(talk) == "half a sentence"
        assert store.drafts.get(None) == "new: half a sentence"
        store.drafts.keep(None, "")
        assert store.drafts.get(None) == ""
    assert raw("SELECT conversation_id, text FROM drafts") == [(talk, "half a sentence")]


def test_a_draft_keeps_what_was_pasted_into_it(path: Path, raw: RawQuery):
    with Store(path) as store:
        talk = store.conversations.create("a talk").id
        store.drafts.keep(talk, "look: one two, three", [(6, 13), (15, 20)])
    with Store(path) as store:
        assert store.drafts.pasted_parts(talk) == ["one two", "three"]
        assert store.drafts.pasted_parts(None) == []
        store.drafts.keep(talk, "look: nothing")
        assert store.drafts.pasted_parts(talk) == []
        store.drafts.keep(talk, "")
    assert raw("SELECT * FROM drafts") == []


def test_what_was_pasted_into_what_was_sent(store: Store):
    talk = store.conversations.create("a talk")
    for number, (text, pasted) in enumerate([("see: one", [(5, 8)]), ("typed", []), ("two, two", [(0, 3), (5, 8)])]):
        added = store.messages.add(
            *(talk.id, None, "user", text), state=MessageState.COMPLETE, origin=Origin.TYPED, pasted=pasted
        )
        assert store.messages.get(added.id).pasted_parts == [["one"], [], ["two", "two"]][number]
    assert store.messages.pasted_parts(10) == [["one"], ["two", "two"]]
    assert store.messages.pasted_parts(1) == [["two", "two"]]
    store.feedback.claim_item(f"message:{added.id}")
    assert store.messages.pasted_parts(10) == [["one"]]
    store.conversations.trash(talk.id)
    assert store.messages.pasted_parts(10) == []


def test_a_draft_is_forgotten_with_its_conversation(store: Store, path: Path):
    talk = store.conversations.create("a talk").id
    store.drafts.keep(talk, "unforgettable")
    store.conversations.delete(talk)
    assert store.drafts.get(talk) == ""
    store.drafts.keep(talk, "unforgettable")  # the screen was slower than the forgetting
    assert store.drafts.get(talk) == ""
    assert not [file for file in path.parent.iterdir() if b"unforgettable" in file.read_bytes()]


def test_what_was_sent_comes_once_and_in_order(store: Store):
    talk, other = (store.conversations.create(title).id for title in ("a talk", "another"))
    for number, text in enumerate(("one", "two", "one", "three")):
        say(store, (talk, other)[number % 2], text)
    say(store, talk, "of another program", Origin.IMPORTED)
    say(store, talk, "a reply", Origin.GENERATED, "assistant")
    assert [text for _, text in store.messages.sent(10)] == ["two", "one", "three"]
    assert [text for _, text in store.messages.sent(2)] == ["one", "three"]
    store.conversations.trash(other)
    assert [text for _, text in store.messages.sent(10)] == ["one"]
