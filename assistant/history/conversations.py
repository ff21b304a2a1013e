"""The conversations of one home as a collection: listed, organised, deleted and taken back, forked, searched."""

from __future__ import annotations

from collections.abc import Collection

from assistant.records import Conversation, SearchFilter, SearchHit
from assistant.reporting import reports_storage_errors
from storage.store import Store

EVERYTHING = SearchFilter()


@reports_storage_errors
class History:
    """All conversations of one home.

    Raises: AssistantError: from every method that names a conversation or message, where there is none.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def conversations(self, *, archived: bool = False, tag: str | None = None) -> list[Conversation]:
        """Pinned ones first, then the one last used; only archived ones or only the others, perhaps only of a tag."""
        return self._store.conversations.list(archived=archived, tag=tag)

    def deleted(self) -> list[Conversation]:
        """What was deleted and can still be restored, the last one first."""
        return self._store.conversations.deleted()

    def search(self, query: str, only: SearchFilter = EVERYTHING, limit: int = 50) -> list[SearchHit]:
        """Titles and messages in which all words and "quoted phrases" occur, best first; fast enough for each key."""
        return self._store.search.search(query, only, limit)

    def give_title(self, conversation_id: int, title: str) -> None:
        """Give a conversation the title that the person chose, in one line; no automatic one replaces it."""
        self._store.conversations.give_title(conversation_id, " ".join(title.split()))

    def suggest_title(self, conversation_id: int, title: str) -> bool:
        """Give a conversation an automatic title, unless the person gave it one; returns whether it was taken."""
        return self._store.conversations.suggest_title(conversation_id, title.strip())

    def set_pinned(self, conversation_id: int, pinned: bool) -> None:
        """Keep a conversation at the head of the list, or no longer."""
        self._store.conversations.set_pinned(conversation_id, pinned)

    def set_archived(self, conversation_id: int, archived: bool) -> None:
        """Take a conversation out of the list, or back in; it is still searched and learned from."""
        self._store.conversations.set_archived(conversation_id, archived)

    def tags(self) -> dict[str, int]:
        """All tags, each with how many conversations have it."""
        return self._store.conversations.tags()

    def set_tags(self, conversation_id: int, tags: Collection[str]) -> None:
        """Replace the tags of a conversation."""
        self._store.conversations.set_tags(conversation_id, tags)

    def fork(self, message_id: int) -> Conversation:
        """A new conversation with a copy of the branch down to this message."""
        return self._store.conversations.fork(message_id)

    def show(self, message_id: int) -> None:
        """Show a branch with this message: the one that is shown if it has it, else the one last added to."""
        conversation_id = self._store.messages.get(message_id).conversation_id
        leaf = self._store.conversations.get(conversation_id).active_leaf_id
        if leaf is None or all(message.id != message_id for message in self._store.messages.branch(leaf)):
            newest = self._store.messages.newest_leaf(message_id)
            self._store.conversations.set_active_leaf(conversation_id, newest.id)

    def delete(self, conversation_id: int) -> None:
        """Delete a conversation; `restore` takes that back for ten minutes, then it is forgotten."""
        self._store.conversations.trash(conversation_id)

    def restore(self, conversation_id: int) -> None:
        """Take a conversation back that was deleted."""
        self._store.conversations.restore(conversation_id)
