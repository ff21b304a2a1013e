"""Trees stay whole whatever is said, edited, forked and forgotten in any order: against plain Python."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from storage.records import Doomed, MessageState, Origin
from storage.store import Store

ANY = st.integers(0, 10_000)
TYPED = {"state": MessageState.COMPLETE, "origin": Origin.TYPED}
Parents = dict[int, int | None]


def above(tree: Parents, number: int) -> list[int]:
    """From the first message down to this one."""
    parent = tree[number]
    return [*(above(tree, parent) if parent is not None else []), number]


def below(tree: Parents, number: int) -> set[int]:
    return {other for other in tree if number in above(tree, other)}


class Histories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.folder.name) / "data" / "history.db")
        self.trees: dict[int, Parents] = {}

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def pick(self, number: int) -> tuple[int, int]:
        """A conversation and one of its messages."""
        said = [(talk, message) for talk, tree in self.trees.items() for message in tree]
        return said[number % len(said)]

    def picked_talk(self, number: int) -> int:
        return sorted(self.trees)[number % len(self.trees)]

    def said(self) -> bool:
        return any(self.trees.values())

    def talked(self) -> bool:
        return bool(self.trees)

    @rule()
    def begin(self) -> None:
        self.trees[self.store.conversations.create().id] = {}

    @precondition(talked)
    @rule(which=ANY)
    def say_first(self, which: int) -> None:
        talk = self.picked_talk(which)
        self.trees[talk][self.store.messages.add(talk, None, "user", "first", **TYPED).id] = None

    @precondition(said)
    @rule(which=ANY)
    def say_below(self, which: int) -> None:
        talk, parent = self.pick(which)
        self.trees[talk][self.store.messages.add(talk, parent, "assistant", "below", **TYPED).id] = parent

    @precondition(said)
    @rule(which=ANY)
    def edit(self, which: int) -> None:
        talk, original = self.pick(which)
        parent = self.trees[talk][original]
        edited = self.store.messages.add(
            *(talk, parent, "assistant", "edited"),
            state=MessageState.COMPLETE,
            origin=Origin.EDITED,
            edited_from=original,
        )
        self.trees[talk][edited.id] = parent

    @precondition(said)
    @rule(which=ANY)
    def show(self, which: int) -> None:
        talk, message = self.pick(which)
        leaf = self.store.messages.newest_leaf(message).id
        assert leaf == max(below(self.trees[talk], message))
        self.store.conversations.set_active_leaf(talk, leaf)

    @precondition(said)
    @rule(which=ANY)
    def fork(self, which: int) -> None:
        talk, message = self.pick(which)
        before = [self.store.messages.get(number) for number in above(self.trees[talk], message)]
        made = self.store.conversations.fork(message)
        copies = self.store.messages.branch(made.active_leaf_id)
        assert [(m.role, m.text, m.origin, m.created_at) for m in copies] == [
            (m.role, m.text, m.origin, m.created_at) for m in before
        ]
        tree = self.trees[made.id] = {copy.id: copy.parent_id for copy in copies}
        for copy in copies:
            if copy.edited_from is not None:
                tree[copy.edited_from] = copy.parent_id

    @precondition(said)
    @rule(which=ANY)
    def forget_message(self, which: int) -> None:
        talk, message = self.pick(which)
        gone = below(self.trees[talk], message)
        found = self.store.forgetting.forget(self.store.forgetting.messages([message]))
        assert found.messages == len(gone)
        assert found.conversations == (len(gone) == len(self.trees[talk]))
        self.drop(talk, gone)

    @precondition(said)
    @rule(which=st.sets(ANY, min_size=1, max_size=5))
    def cut_out(self, which: set[int]) -> None:
        gone = {self.pick(number) for number in which}
        doomed = Doomed(messages=frozenset(message for _, message in gone), keeps_replies=True)
        self.store.forgetting.forget(doomed)
        for talk in {talk for talk, _ in gone}:
            self.drop(talk, {message for other, message in gone if other == talk})

    @precondition(talked)
    @rule(which=ANY, forget=st.booleans())
    def delete(self, which: int, forget: bool) -> None:
        talk = self.picked_talk(which)
        if forget:
            self.store.conversations.delete(talk)
            del self.trees[talk]
        else:
            self.store.conversations.trash(talk)
            self.store.conversations.restore(talk)

    def drop(self, talk: int, gone: set[int]) -> None:
        tree = self.trees[talk]
        left = {}
        for number in tree.keys() - gone:
            kept = [other for other in above(tree, number)[:-1] if other not in gone]
            left[number] = kept[-1] if kept else None
        if left:
            self.trees[talk] = left
        else:
            del self.trees[talk]

    @invariant()
    def every_message_is_where_it_belongs(self) -> None:
        db = self.store._db
        rows = db.rows("SELECT conversation_id, id, parent_id FROM messages")
        assert {(row["conversation_id"], row["id"]): row["parent_id"] for row in rows} == {
            (talk, number): parent for talk, tree in self.trees.items() for number, parent in tree.items()
        }
        assert {talk.id for talk in self.store.conversations.list()} == self.trees.keys()
        assert db.rows("PRAGMA foreign_key_check") == []

    @invariant()
    def every_branch_can_be_shown(self) -> None:
        for talk, tree in self.trees.items():
            leaf = self.store.conversations.get(talk).active_leaf_id
            assert leaf in tree if tree else leaf is None
            for number in tree:
                branch = self.store.messages.branch(number)
                assert [message.id for message in branch] == above(tree, number)
                siblings = sorted(other for other in tree if tree[other] == tree[number])
                place = (branch[-1].sibling_index, branch[-1].sibling_count)
                assert place == (siblings.index(number), len(siblings))


Histories.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestHistories = Histories.TestCase
