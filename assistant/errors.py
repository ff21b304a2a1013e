"""One base for everything the app says went wrong: its text is what the user reads."""

from __future__ import annotations


class AssistantError(Exception):
    """Something the user can act on; the message says what, where and what to do next, in one line."""


class ModelError(AssistantError):
    """A model file is missing, broken or of a kind that cannot be used."""


class EngineError(AssistantError):
    """The engine could not load a model or finish a reply."""


class EngineDied(EngineError):  # noqa: N818  # what happened, in the words of the users
    """The engine's process died or hung; the next call starts it again."""


class ImportFileError(AssistantError):
    """A file to import cannot be read as what it claims to be."""


class NoProfileError(AssistantError):
    """No version of the profile is in use."""


class RebuildError(AssistantError):
    """A rebuild could not start or finish."""


class RebuildCancelled(RebuildError):  # noqa: N818  # an order that was obeyed, not an error
    """The person cancelled the rebuild; what was scored is kept."""


class SettingsError(AssistantError):
    """The settings file cannot be read or holds a value that is not allowed."""


class DownloadError(ModelError):
    """A model could not be downloaded; what came is kept unless the message says otherwise."""


class DownloadStopped(DownloadError):  # noqa: N818  # an order that was obeyed, not an error
    """The person paused or cancelled a download."""
