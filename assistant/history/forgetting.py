"""Forgetting for good: what goes is counted first; nothing of it is left in any file of the home."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from assistant.errors import AssistantError
from assistant.paths import Paths
from assistant.profile.combination import forget_combinations
from assistant.records import Doomed, Forgotten
from assistant.reporting import reports_storage_errors
from storage.private_files import translated_os_errors
from storage.store import Store


@reports_storage_errors
class Forgetting:
    """Forgetting in one home: choose with one of the first methods, `forecast`, then `forget`.

    Raises: AssistantError: from every method that names something, where there is none of it.
    """

    def __init__(self, store: Store, paths: Paths) -> None:
        self._store = store
        self._paths = paths

    def conversations(self, conversation_ids: Collection[int]) -> Doomed:
        """These conversations as a whole."""
        return self._store.forgetting.conversations(conversation_ids)

    def messages(self, message_ids: Collection[int]) -> Doomed:
        """These messages with everything below them: a reply repeats what it answers."""
        return self._store.forgetting.messages(message_ids)

    def items(self, item_ids: Collection[str]) -> Doomed:
        """Items that were learned from, by their ids: messages (as above) and texts of the person's own."""
        return self._store.forgetting.items(item_ids)

    def before(self, moment: datetime) -> Doomed:
        """Everything from before a moment (aware); what came later stays and begins where it is cut."""
        return self._store.forgetting.before(moment)

    def containing(self, text: str) -> Doomed:
        """Everything that contains a text, in whatever case; messages with everything below them.

        Raises: AssistantError: `text` is blank.
        """
        if not text.strip():
            raise AssistantError("there is no text to look for; name what is to be forgotten")
        return self._store.forgetting.containing(text)

    def forecast(self, doomed: Doomed) -> Forgotten:
        """What `forget` would remove; nothing is changed."""
        return self._store.forgetting.forecast(doomed)

    def forget(self, doomed: Doomed, *, remove_versions: bool = False) -> Forgotten:
        """Remove it with all that came from it, and overwrite its bytes.

        Profile versions that learned from it become stale, or are removed if `remove_versions`; steering is off
        then if one of them was in use.

        Raises: AssistantError: nothing was removed; or, where the disk is full, the overwriting is due.
        """
        found = self._store.forgetting.forget(doomed, remove_versions=remove_versions)
        if remove_versions:
            for path in map(self._paths.profile_vector, found.profiles):
                with translated_os_errors(path):
                    path.unlink(missing_ok=True)
            # They hold what those learned, too.
            forget_combinations(self._paths.profiles)
        return found
