"""The tree against a model in plain Python; streaming and recovery against other processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import NotFoundError
from storage.process_identity import identity_of, is_running, own_identity
from storage.records import Message, MessageState, Origin
from storage.store import Store
from tests.storage.conftest import RawQuery

ANY_TEXT = st.text(st.characters(), max_size=40)  # NUL and lone surrogates too
TYPED = {"state": MessageState.COMPLETE, "origin": Origin.TYPED}
GENERATED = {"state": MessageState.COMPLETE, "origin": Origin.GENERATED}


def as_stored(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Tree:
    """The oracle: messages as (parent, text, rating), by id."""

    def __init__(self) -> None:
        self.nodes: dict[int, tuple[int | None, str, int]] = {}

    def siblings(self, number: int) -> list[int]:
        return [other for other, node in self.nodes.items() if node[0] == self.nodes[number][0]]

    def branch(self, number: int | None) -> list[int]:
        return [] if number is None else [*self.branch(self.nodes[number][0]), number]

    def newest_leaf(self, number: int) -> int:
        return max(other for other in self.nodes if number in self.branch(other))

    def seen(self, number: int) -> tuple:
        parent, text, rating = self.nodes[number]
        siblings = self.siblings(number)
        return number, parent, text, rating, siblings.index(number), len(siblings)


def seen(message: Message) -> tuple:
    return (
        *(message.id, message.parent_id, message.text),
        *(message.rating, message.sibling_index, message.sibling_count),
    )


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 30), ANY_TEXT, st.sampled_from([-1, 0, 1])), min_size=1, max_size=25))
def test_the_tree_is_what_plain_python_says(shared_store: Store, steps: list[tuple[int, str, int]]):
    store = shared_store
    other = store.conversations.create()
    store.messages.add(other.id, None, "user", "elsewhere", **TYPED)
    talk, tree = store.conversations.create(), Tree()
    for choice, text, rating in steps:
        parent = [None, *tree.nodes][choice % (len(tree.nodes) + 1)]
        message = store.messages.add(talk.id, parent, "user", text, **TYPED)
        store.feedback.rate(message.id, rating)
        tree.nodes[message.id] = (parent, as_stored(text), rating)
    for number in tree.nodes:
        assert [seen(m) for m in store.messages.branch(number)] == [tree.seen(n) for n in tree.branch(number)]
        assert [m.id for m in store.messages.siblings(number)] == tree.siblings(number)
        assert store.messages.newest_leaf(number).id == tree.newest_leaf(number)
    assert store.conversations.get(talk.id).active_leaf_id == max(tree.nodes)


def test_a_long_branch(store: Store):
    talk, parent = store.conversations.create(), None
    with store._db.transaction():  # in one transaction only to save the test's time
        for number in range(2000):
            parent = store._db.write(
                "INSERT INTO messages (conversation_id, parent_id, role, text, state, origin, created_at) "
                "VALUES (?, ?, 'user', ?, 'complete', 'typed', '2026-01-01T00:00:00.000000+00:00')",
                (talk.id, parent, str(number)),
            ).lastrowid
    branch = store.messages.branch(parent)
    assert [message.text for message in branch] == [str(number) for number in range(2000)]
    assert store.messages.newest_leaf(branch[0].id) == branch[-1]


def test_everything_said_about_a_message_comes_back(store: Store, path: Path):
    talk = store.conversations.create()
    own = store.messages.add(talk.id, None, "user", "Hi\n\x00\x1b[31m😀", **TYPED)
    reply = store.messages.add(
        *(talk.id, own.id, "assistant", "Hel"),
        state=MessageState.STREAMING,
        origin=Origin.GENERATED,
        model="SmolLM2",
        profile_version=3,
        strength=0.75,
    )
    done = store.messages.finish(reply.id, text="Hello", state=MessageState.COMPLETE, stats={"tokens": 2})
    edit = store.messages.add(
        talk.id, own.id, "assistant", "Hello!", state=MessageState.COMPLETE, origin=Origin.EDITED, edited_from=done.id
    )
    with Store(path) as again:
        assert again.messages.get(own.id) == own
        assert again.messages.siblings(done.id) == [store.messages.get(done.id), edit]
    assert (done.text, done.state, done.stats) == ("Hello", MessageState.COMPLETE, {"tokens": 2})
    assert (done.model, done.profile_version, done.strength) == ("SmolLM2", 3, 0.75)
    assert (edit.edited_from, edit.sibling_index, edit.sibling_count) == (done.id, 1, 2)


def test_streamed_text_is_there_for_others_at_once_and_found_only_when_done(store: Store, raw: RawQuery):
    talk = store.conversations.create()
    reply = store.messages.add(talk.id, None, "assistant", "", state=MessageState.STREAMING, origin=Origin.GENERATED)
    for text in ("Water", "Water boils", "Water boils at"):
        store.messages.set_text(reply.id, text)
        assert raw("SELECT text, state FROM messages") == [(text, "streaming")]
        assert store.search.search("boils") == []
    store.messages.finish(reply.id, text="Water boils at 100", state=MessageState.STOPPED)
    assert [hit.message_id for hit in store.search.search("boils")] == [reply.id]
    store.messages.resume(reply.id)
    assert store.messages.get(reply.id).state is MessageState.STREAMING
    assert store.search.search("boils") == []
    store.messages.finish(reply.id, text="Water boils at 100 degrees", state=MessageState.COMPLETE)
    assert [hit.message_id for hit in store.search.search("degrees")] == [reply.id]


def test_a_parent_must_be_in_the_same_conversation(store: Store, raw: RawQuery):
    here, there = store.conversations.create(), store.conversations.create()
    parent = store.messages.add(here.id, None, "user", "here", **TYPED)
    with pytest.raises(NotFoundError):
        store.messages.add(there.id, parent.id, "user", "there", **TYPED)
    assert raw("SELECT count(*) FROM messages") == [(1,)]
    assert store.conversations.get(there.id).active_leaf_id is None


def test_what_is_not_there(store: Store):
    for call in (
        lambda: store.messages.get(7),
        lambda: store.messages.set_text(7, ""),
        lambda: store.messages.resume(7),
        lambda: store.messages.finish(7, text="", state=MessageState.COMPLETE),
        lambda: store.messages.branch(7),
        lambda: store.messages.siblings(7),
        lambda: store.messages.newest_leaf(7),
        lambda: store.feedback.rate(7, 1),
    ):
        with pytest.raises(NotFoundError):
            call()


def test_what_learning_reads(store: Store):
    talk = store.conversations.create()
    first = store.messages.add(talk.id, None, "user", "one", **TYPED)
    reply = store.messages.add(talk.id, first.id, "assistant", "two", **GENERATED)
    store.messages.add(talk.id, reply.id, "user", "pasted", state=MessageState.COMPLETE, origin=Origin.IMPORTED)
    second = store.messages.add(talk.id, reply.id, "user", "three", **TYPED)
    store.feedback.rate(reply.id, -1)
    rated = store.messages.get(reply.id)
    assert rated.rating == -1
    assert store.messages.typed() == [(first, None), (store.messages.get(second.id), rated)]
    assert store.messages.replies() == [rated]


STREAM = """
import sys
from pathlib import Path
from storage.records import MessageState, Origin
from storage.store import Store
store = Store(Path(sys.argv[1]))
talk = store.conversations.create()
reply = store.messages.add(
    talk.id, None, "assistant", "", state=MessageState.STREAMING, origin=Origin.GENERATED)
store.messages.set_text(reply.id, "half a repl")
print(reply.id, flush=True)
sys.stdin.readline()
"""


def test_recovery_stops_what_a_dead_process_streamed_and_nothing_else(store: Store, path: Path):
    talk = store.conversations.create()
    mine = store.messages.add(talk.id, None, "assistant", "mine", state=MessageState.STREAMING, origin=Origin.GENERATED)
    with subprocess.Popen(
        [sys.executable, "-c", STREAM, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        theirs = int(child.stdout.readline())
        assert store.messages.recover() == 0
        assert store.messages.get(theirs).state is MessageState.STREAMING
        child.kill()
    assert store.messages.recover() == 1
    stopped = store.messages.get(theirs)
    assert (stopped.state, stopped.text) == (MessageState.STOPPED, "half a repl")
    assert store.messages.get(mine.id).state is MessageState.STREAMING
    assert [hit.message_id for hit in store.search.search("half")] == [theirs]
    assert store.messages.recover() == 0


def test_process_identity():
    own = own_identity()
    assert own is not None
    assert is_running(own)
    assert not is_running(None)
    pid, _, started = own.rpartition(" ")
    assert not is_running(f"{pid} {int(started) + 1}")  # the same number given to a later process
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
        assert identity_of(child.pid) is None
