"""Assistant: the one object that the screens and the command line talk to."""

from __future__ import annotations

from pathlib import Path

from assistant.chat import Chat
from assistant.paths import Paths
from assistant.preferences import Preferences
from assistant.profiles import Profiles
from assistant.rebuild.runner import Rebuild
from assistant.settings import Settings


class Assistant:
    """One home: its history, its model, its profile. Opening it loads no model."""

    paths: Paths
    settings: Settings
    chat: Chat
    preferences: Preferences
    profiles: Profiles
    rebuild: Rebuild

    @classmethod
    def open(cls, home: Path | None = None, model: str | None = None) -> Assistant:
        """Open a home folder (platformdirs decides without one); `model` overrides the settings' model.

        Raises: AssistantError: the home cannot be written, the settings or the database cannot be read.
        """
        raise NotImplementedError

    def change_setting(self, section: str, key: str, value: str | float | bool) -> None:
        """Validate and save one setting; the next message obeys it.

        Raises: SettingsError: the value is not allowed; nothing is changed.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """End child processes and close the database."""
        raise NotImplementedError
