"""What a person has written: drafts that are not sent yet, and what was sent before, to send it again."""

from __future__ import annotations

from datetime import datetime

from assistant.history.pastes import Pastes
from assistant.reporting import reports_storage_errors
from storage.store import Store


@reports_storage_errors
class Drafts:
    """Drafts by conversation, None for a chat that is not begun; `pastes` knows what was pasted into them.

    Raises: AssistantError: from every method, where the history cannot be read or written.
    """

    def __init__(self, store: Store, pastes: Pastes) -> None:
        self._store = store
        self.pastes = pastes

    def get(self, conversation_id: int | None) -> str:
        """The draft in a conversation; empty where there is none."""
        self.pastes.remember(*self._store.drafts.pasted_parts(conversation_id))
        return self._store.drafts.get(conversation_id)

    def keep(self, conversation_id: int | None, text: str) -> None:
        """Keep a draft, over a restart and a kill too; an empty one is none."""
        self._store.drafts.keep(conversation_id, text, self.pastes.stretches(text))

    def sent(self, limit: int = 500) -> list[tuple[datetime, str]]:
        """When and what was last written in this program, the oldest first, each text once."""
        for parts in self._store.messages.pasted_parts(limit):
            self.pastes.remember(*parts)
        return self._store.messages.sent(limit)
