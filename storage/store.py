"""Store: one open history with all its rooms."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from storage.conversations import Conversations
from storage.database import Database
from storage.drafts import Drafts
from storage.effects import Effects
from storage.erasure import erase
from storage.errors import DatabaseLockedError, DatabaseReadOnlyError, DiskFullError, StorageError
from storage.feedback import Feedback
from storage.forgetting import Forgetting
from storage.growth import Growth, growth
from storage.messages import Messages
from storage.profiles import Profiles
from storage.search import Search
from storage.transfer import Transfer
from storage.vectors import Vectors
from storage.writing import Writings


class Store:
    """The history in one file, made where there is none. For one thread; other processes may use it too.

    Raises: StorageError: newer, damaged, foreign, read-only, in use, or no space; the file is left as it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = Database(path)
        self.conversations = Conversations(self._db)
        self.messages = Messages(self._db)
        self.drafts = Drafts(self._db)
        self.feedback = Feedback(self._db)
        self.writing = Writings(self._db)
        self.effects = Effects(self._db)
        self.profiles = Profiles(self._db)
        self.vectors = Vectors(self._db)
        self.search = Search(self._db)
        self.forgetting = Forgetting(self._db)
        self.transfer = Transfer(self._db)
        self._catch_up()

    @property
    def refusal(self) -> str:
        """Why the history can only be read; empty where it can be written."""
        return str(self._db.refusal or "")

    def growth(self, imported: str) -> Growth:
        """What came to be learned from, and went, since the newest version whose inputs hash is not `imported`."""
        return growth(self._db, imported)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _catch_up(self) -> None:
        """Forget what can no longer be restored, and erase what a kill or another process kept from it."""
        try:
            # On a full or read-only disk, or while another process writes for long, the history can still be read.
            with suppress(DiskFullError, DatabaseReadOnlyError, DatabaseLockedError):
                erase(self._db)
                self.conversations.forget_trashed()
        except StorageError:
            self.close()
            raise
