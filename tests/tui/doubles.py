"""A scripted assistant in memory, with the public interface of the real one; replies and rebuilds wait to be let on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from assistant.errors import ImportFileError, SettingsError
from assistant.history.importing import Preview
from assistant.paths import Paths
from assistant.records import Doomed, Forgotten, ImportCounts
from assistant.settings import SamplingSettings, Settings
from tests.tui.chat_doubles import ScriptedChat, ScriptedDrafts, ScriptedHistory
from tests.tui.learning_doubles import (
    ScriptedOffer,
    ScriptedPreferences,
    ScriptedProfiles,
    ScriptedRebuild,
    ScriptedVectors,
)
from tests.tui.model_doubles import ScriptedActive, ScriptedModels
from tests.tui.privacy_double import ScriptedPrivacy

MODEL = "model.gguf"


class ScriptedForgetting:
    """Forgets conversations and messages of a scripted chat; `versions` learned from all of them."""

    def __init__(self, chat: ScriptedChat) -> None:
        self._chat = chat
        self.versions: tuple[int, ...] = ()
        self.removed_versions = False

    def conversations(self, conversation_ids: Collection[int]) -> Doomed:
        return Doomed(conversations=frozenset(conversation_ids))

    def messages(self, message_ids: Collection[int]) -> Doomed:
        return Doomed(messages=frozenset(message_ids))

    def forecast(self, doomed: Doomed) -> Forgotten:
        told = sum(len(self._chat.messages(one)) for one in doomed.conversations) + len(doomed.messages)
        in_use = self.versions[-1] if self.versions else None
        return Forgotten(len(doomed.conversations), told, 0, 0, self.versions, in_use, 2, (7,), erased=True)

    def forget(self, doomed: Doomed, *, remove_versions: bool = False) -> Forgotten:
        found = self.forecast(doomed)
        self.removed_versions = remove_versions
        for one in doomed.conversations:
            del self._chat._conversations[one]
        for one in doomed.messages:
            message = self._chat._messages[one]
            del self._chat._shown[(message.conversation_id, message.parent_id)]
        return found


class ScriptedImporting:
    """Shows and adds `found`; a path that holds "broken" cannot be read. Both wait for `go`, which is set at first."""

    def __init__(self) -> None:
        self.found = Preview(Path("chats.json"), None, 2, 1204, 602, 0, {"pictures": 3, "messages [of] tools": 12})
        self.asked: list[tuple[Path, tuple[str, ...]]] = []
        self.added = 0
        self.go = asyncio.Event()
        self.go.set()

    async def preview(self, path: Path, *, me: tuple[str, ...], progress: Callable[[int], None]) -> Preview:
        self.asked.append((path, me))
        if "broken" in path.name:
            raise ImportFileError(f"{path}: not JSON after line 3; export it again")
        progress(600)
        await self.go.wait()
        return replace(self.found, me=me, guessed=False) if me else self.found

    async def add(self, preview: Preview, progress: Callable[[int], None]) -> ImportCounts:
        progress(preview.entries // 2)
        await self.go.wait()
        self.added += 1
        return ImportCounts(preview.conversations, preview.messages, preview.texts, known=4)


class ScriptedAssistant:
    """Stands where `assistant.app.Assistant` stands."""

    def __init__(self) -> None:
        home = Path("/home/ada/.local/share/private-assistant")
        self.paths = Paths(config=home, data=home, cache=home)
        self.settings = Settings()
        self.profiles = ScriptedProfiles()
        self.vectors = ScriptedVectors()
        self.chat = ScriptedChat(self.profiles, self.vectors)
        self.history = ScriptedHistory(self.chat)
        self.drafts = ScriptedDrafts(self.chat.pastes)
        self.importing = ScriptedImporting()
        self.forgetting = ScriptedForgetting(self.chat)
        self.preferences = ScriptedPreferences()
        self.rebuild = ScriptedRebuild()
        self.offer = ScriptedOffer()
        self.privacy = ScriptedPrivacy()
        self.models = ScriptedModels()
        self.model = ScriptedActive(self.models)
        self.closed = False
        self.only_reading = ""
        self.backups = 0

    async def back_up_daily(self) -> None:
        self.backups += 1

    @property
    def sampling(self) -> SamplingSettings:
        return self.settings.sampling_of(MODEL, {})

    @property
    def sampling_defaults(self) -> SamplingSettings:
        return SamplingSettings()

    def change_sampling(self, key: str, value: float | None) -> None:
        self.change_setting("models", key, value, MODEL)

    def change_setting(self, section: str, key: str, value: str | float | bool | None, model: str = "") -> None:
        values = self.settings.model_dump(exclude_unset=True)
        section_values = values.setdefault(section, {})
        table = section_values.setdefault(model, {}) if model else section_values
        table.pop(key, None) if value is None else table.update({key: value})
        try:
            self.settings = Settings.model_validate(values)
        except ValueError as error:
            raise SettingsError(f"settings.toml: {section}.{key}: not allowed (found {value!r})") from error

    async def close(self) -> None:
        self.closed = True
