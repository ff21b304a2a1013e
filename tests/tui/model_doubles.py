"""Models in memory, with the public interface of the real ones; a download moves when the test lets it."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator
from pathlib import Path

from assistant.errors import DownloadError, DownloadStopped, ModelError
from assistant.models.advice import Advice, Machine, advise
from assistant.models.cache import Cached
from assistant.models.catalogue import load_catalogue
from assistant.models.collection import Removal
from assistant.models.header import ModelHeader
from assistant.models.hub.download import Downloaded, Downloading
from assistant.models.local import BUNDLED, OURS, ModelInfo
from assistant.models.own_folder import Unfinished

FOLDER = Path("/home/ada/.local/share/private-assistant/models")
MACHINE = Machine(8_000_000_000, 4)


def model(name: str, source: str = OURS, *, architecture: str = "llama", problem: str = "") -> ModelInfo:
    header = ModelHeader(name.removesuffix(".gguf"), architecture, 30, 576, 49152, 8192, True, "Q4_1", 4096, 98_000_000)
    return ModelInfo(name, FOLDER / name, source, 98_000_000, None if problem else header, problem)


class ScriptedDownload:
    """Yields what the test puts into `events`; None ends it with what was asked for."""

    def __init__(self, models: ScriptedModels, wanted: str) -> None:
        self.models, self.wanted = models, wanted
        self.events: asyncio.Queue[Downloading | Downloaded | Exception] = asyncio.Queue()
        self.how = ""

    async def run(self) -> AsyncIterator[Downloading | Downloaded]:
        while True:
            event = await self.events.get()
            if isinstance(event, Exception):
                raise event
            yield event
            if isinstance(event, Downloaded):
                return

    def pause(self) -> None:
        self.how = "paused"
        self.events.put_nowait(DownloadStopped("the download was paused"))

    def cancel(self) -> None:
        self.how = "cancelled"
        self.models.left = []
        self.events.put_nowait(DownloadStopped("the download was cancelled"))


class ScriptedModels:
    """The bundled model, one of our own, one that is broken."""

    def __init__(self) -> None:
        self.here = [model("SmolLM2-135M.gguf", BUNDLED)]
        self.used = "SmolLM2-135M.gguf"
        self.left: list[Unfinished] = []
        self.downloads: list[ScriptedDownload] = []
        self.recommended = False
        self.removed: list[str] = []
        self.cache_size = 270_000_000
        self.added: list[Path] = []

    def list(self) -> builtins.list[ModelInfo]:
        return list(self.here)

    def in_use(self) -> Path | None:
        return FOLDER / self.used

    def unfinished(self) -> builtins.list[Unfinished]:
        return list(self.left)

    def advice(self, gpu: bool | None = None) -> builtins.list[Advice]:
        return advise(load_catalogue(), MACHINE)

    def machine(self, gpu: bool | None = None) -> Machine:
        return MACHINE

    def best(self) -> Advice | None:
        return next(one for one in self.advice() if one.recommended) if self.recommended else None

    def download(self, wanted: str) -> ScriptedDownload:
        if "/" not in wanted and load_catalogue().find(wanted) is None:
            raise DownloadError(f"{wanted}: name OWNER/REPOSITORY")
        self.downloads.append(ScriptedDownload(self, wanted))
        return self.downloads[-1]

    def add(self, path: Path, *, move: bool = False) -> Path:
        if "broken" in path.name:
            raise ModelError(f"{path}: not a GGUF file")
        self.added.append(path)
        self.here.append(model(path.name))
        return FOLDER / path.name

    def use(self, spec: str) -> ModelInfo:
        found = next(one for one in self.here if spec in (one.name, str(one.path)))
        if found.problem:
            raise ModelError(found.problem)
        self.used = found.name
        return found

    def removal(self, spec: str) -> Removal:
        found = next(one for one in self.here if str(one.path) == spec)
        if found.source != OURS:
            raise ModelError(f"{found.path}: lies outside of {FOLDER} and is not ours to delete")
        return Removal(found, found.size, (2,), found.name == self.used)

    def remove(self, removal: Removal) -> None:
        self.here.remove(removal.model)
        self.removed.append(removal.model.name)
        if removal.in_use:
            self.used = self.here[0].name

    def give_up(self, unfinished: Unfinished) -> None:
        self.left.remove(unfinished)

    def cached(self) -> builtins.list[Cached]:
        return [Cached("estimators", "", FOLDER, self.cache_size)] if self.cache_size else []

    def clear_cache(self) -> builtins.list[Cached]:
        there, self.cache_size = self.cached(), 0
        return there


class ScriptedActive:
    """The model in use; its name is its fingerprint."""

    def __init__(self, models: ScriptedModels) -> None:
        self.models = models

    def fingerprint(self) -> str:
        return self.models.used
