"""Assistant: the one object that the screens and the command line talk to."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Self

from assistant.conversation.answering import Answering
from assistant.conversation.chat import Chat
from assistant.conversation.loading import ModelLoader
from assistant.conversation.reference import Reference
from assistant.conversation.sampling import model_key, sampling_defaults, sampling_in_use
from assistant.engine.process import Engine
from assistant.history.conversations import History
from assistant.history.drafts import Drafts
from assistant.history.exporting import Exporting
from assistant.history.forgetting import Forgetting
from assistant.history.importing import Importing
from assistant.history.pastes import Pastes
from assistant.models.active import ActiveModel
from assistant.models.collection import Models
from assistant.paths import Paths, resolve_paths
from assistant.privacy.looking import Privacy
from assistant.profile.preferences import Preferences
from assistant.profile.profiles import Profiles
from assistant.profile.rebuild_offer import RebuildOffer
from assistant.profile.vectors import Vectors
from assistant.rebuild.runner import Rebuild
from assistant.reporting import storage_errors_reported
from assistant.scratch import remove_abandoned, remove_scratch
from assistant.settings import SamplingSettings, Settings, load_settings, save_setting
from storage.automatic import back_up_daily
from storage.store import Store


class Assistant:
    """One home: its history, its model, its profile. Opening it loads no model."""

    def __init__(self, paths: Paths, settings: Settings, store: Store, model: str | None) -> None:
        self.paths = paths
        self.settings = settings
        self.store = store
        self._named_model = model
        self.model = ActiveModel(lambda: self._named_model or self.settings.model.path, paths)
        self.models = Models(paths, self.model, store, lambda: self.settings.model.path, self._choose_model)
        self.history = History(store)
        pastes = Pastes()
        self.drafts = Drafts(store, pastes)
        self.forgetting = Forgetting(store, paths)
        self.importing = Importing(store, paths)
        self.exporting = Exporting(store)
        self.privacy = Privacy(paths)
        self.preferences = Preferences(store, lambda: self.settings.preferences.learn_from_own_messages)
        self.profiles = Profiles(store, paths, self.preferences, self.model)
        self.vectors = Vectors(store, paths, self.model)
        engine = Engine(paths.engine_log)
        loader = ModelLoader(engine, self.model, paths, lambda: self.settings)
        answering = Answering(store, engine, loader, self.profiles, self.vectors, self.model, lambda: self.settings)
        reference = Reference(store, paths, self.profiles, self.vectors, lambda: self.settings)
        self.chat = Chat(store, engine, loader, answering, reference, pastes)
        self.offer = RebuildOffer(store, paths.rebuild_offer)
        self.rebuild = Rebuild(store, paths, self.preferences, self.profiles, self.model, lambda: self.settings)

    @classmethod
    def open(cls, home: Path | None = None, model: str | None = None) -> Self:
        """Open a home folder (platformdirs decides without one); `model` overrides the settings' until one is chosen.

        Replies that were streaming in a process that is gone are marked as stopped.

        Raises: AssistantError: the home cannot be written, the settings or the database cannot be read.
        """
        paths = resolve_paths(home)
        paths.create()
        remove_abandoned(paths)
        settings = load_settings(paths.settings)
        with storage_errors_reported():
            store = Store(paths.database)
            if not store.refusal:
                store.messages.recover()
        return cls(paths, settings, store, model)

    def change_setting(self, section: str, key: str, value: str | float | bool | None) -> None:
        """Validate and save one setting, None for its default; the next message obeys it.

        Raises: SettingsError: the value is not allowed; nothing is changed.
        """
        self.settings = save_setting(self.paths.settings, section, key, value)

    def _choose_model(self, path: str) -> None:
        self.change_setting("model", "path", path)
        self._named_model = None

    def change_sampling(self, key: str, value: float | None) -> None:
        """Validate and save how the model of the moment draws, and only that one; None for its default.

        Raises: SettingsError: the value is not allowed; nothing is changed. ModelError: there is no model.
        """
        self.settings = save_setting(self.paths.settings, "models", key, value, model_key(self.model))

    @property
    def sampling(self) -> SamplingSettings:
        """How the model of the moment draws."""
        return sampling_in_use(self.settings, self.model)

    @property
    def sampling_defaults(self) -> SamplingSettings:
        """How it would if nothing were set for it alone."""
        return sampling_defaults(self.settings, self.model)

    @property
    def only_reading(self) -> str:
        """Why the history can only be read (a full or read-only disk); empty where it can be written."""
        return self.store.refusal

    async def back_up_daily(self) -> Path | None:
        """Copy the history unless there is a copy of today, beside what else is going on; returns a copy made now.

        Raises: AssistantError: the history is damaged, or there is no room for the copy; the older copies stay.
        """
        with storage_errors_reported():
            return await asyncio.to_thread(back_up_daily, self.paths.database)

    async def close(self) -> None:
        """End child processes and close the database."""
        self.rebuild.cancel()
        await self.chat.close()
        self.store.close()
        remove_scratch(self.paths.cache)
