"""What can go wrong with the history; the text of each error is the line that the user reads."""

from __future__ import annotations


class StorageError(Exception):
    """Base of all storage errors; the message says what, where and what to do next, in one line."""


class DatabaseNewerError(StorageError):
    """The file was written by a newer version; it has been left as it is."""


class DatabaseUnreadableError(StorageError):
    """The file is damaged, or is not a history of ours; it has been left as it is."""


class DatabaseReadOnlyError(StorageError):
    """The file or its folder cannot be written."""


class DatabaseLockedError(StorageError):
    """Another process held the file longer than is worth waiting for; nothing was written."""


class DiskFullError(StorageError):
    """No space is left; the write was taken back as a whole."""


class NotFoundError(StorageError):
    """What was asked for is not in the history (any more)."""


class NameTakenError(StorageError):
    """A name that must be one of a kind is in use."""


class InvalidImportError(StorageError):
    """A file to import is not what it claims to be; nothing was imported."""
