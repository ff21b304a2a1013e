"""The models at hand and those that could be: one object for screens and commands."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import ModelError
from assistant.models.active import ActiveModel
from assistant.models.advice import Advice, Machine, advise, this_machine
from assistant.models.bundled import bundled_model
from assistant.models.cache import Cached, cached, clear_cache
from assistant.models.catalogue import load_catalogue
from assistant.models.examine import NO_TEMPLATE, Finding, examine_model
from assistant.models.fingerprint import fingerprint
from assistant.models.hub.download import Download
from assistant.models.local import BUNDLED, ELSEWHERE, OURS, ModelInfo, list_models, model_info, resolve_model
from assistant.models.own_folder import Unfinished, add_model, give_up_download, remove_model, unfinished_downloads
from assistant.paths import Paths
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Removal:
    """What removing a model means.

    Attributes:
        frees: bytes on the disk; none where it is only a link.
        profiles: versions that were made for it, and would no longer fit any model here.
        in_use: it answers now; the chosen model will, or the bundled one where this one was chosen.
    """

    model: ModelInfo
    frees: int
    profiles: tuple[int, ...]
    in_use: bool


class Models:
    """Finds, judges, fetches, adds, chooses and removes model files."""

    def __init__(
        self,
        paths: Paths,
        active: ActiveModel,
        store: Store,
        chosen: Callable[[], str],
        choose: Callable[[str], None],
    ) -> None:
        """`chosen` is the saved path of the model that is to answer, `choose` saves one; "" for the bundled one."""
        self._paths, self._active, self._store = paths, active, store
        self._chosen, self._choose = chosen, choose

    def list(self) -> builtins.list[ModelInfo]:
        """Every model at hand: bundled, ours, those of other programs, and the one in use wherever it lies."""
        found, in_use = list_models(self._paths), self.in_use()
        if in_use and all(model.path.resolve() != in_use for model in found):
            named = self._active.path()
            found.append(model_info(named.name, named, ELSEWHERE))
        return found

    def in_use(self) -> Path | None:
        """The file that answers now, where links lead; None where there is none."""
        try:
            return self._active.path().resolve()
        except ModelError:
            return None

    def unfinished(self) -> builtins.list[Unfinished]:
        """Downloads that were interrupted."""
        return unfinished_downloads(self._paths)

    def advice(self, gpu: bool | None = None) -> builtins.list[Advice]:
        """The catalogue, judged for this machine; `gpu` is what the engine said when a model was loaded."""
        return advise(load_catalogue(), self.machine(gpu))

    def machine(self, gpu: bool | None = None) -> Machine:
        """What this machine has."""
        return this_machine(gpu)

    def best(self) -> Advice | None:
        """What is recommended while the bundled model answers and the better one is not here; None where nothing is."""
        best = next((one for one in self.advice() if one.recommended), None)
        if best is None or self.in_use() != bundled_model() or (self._paths.models / best.model.file).exists():
            return None
        return best

    def download(self, wanted: str) -> Download:
        """A download that is still to be run: a name of the catalogue, REPOSITORY or REPOSITORY:FILE.

        Raises: DownloadError: it is none of these.
        """
        return Download(wanted, self._paths)

    def find(self, spec: str) -> ModelInfo:
        """The model of a path, of a name in the list (of two the person's), or of one in the catalogue that is here.

        Raises: ModelError: there is no such file.
        """
        known = load_catalogue().find(spec)
        names = (spec, known.file if known else spec)
        here = sorted(self.list(), key=lambda model: model.source != OURS)
        called = [model for model in here if str(model.path) == spec] + [model for model in here if model.name in names]
        if called:
            return called[0]
        path = resolve_model(spec, self._paths)
        ours = self._paths.models / path.name
        return model_info(path.name, *((ours, OURS) if ours.resolve() == path.resolve() else (path, ELSEWHERE)))

    def check(self, spec: str) -> builtins.list[Finding]:
        """What is to be said of a model file before it is loaded.

        Raises: ModelError: there is no such file.
        """
        return examine_model(self.find(spec).path)

    def add(self, path: Path, *, move: bool = False) -> Path:
        """Put a model file into the models folder: a link to it, or the file itself.

        Raises: ModelError: it cannot be used, one of that name is there, or it cannot be linked or moved.
        """
        return add_model(path, self._paths, move=move)

    def use(self, spec: str) -> ModelInfo:
        """Let a model answer from the next message on.

        Raises: ModelError: there is no such file, or it cannot be used. SettingsError: it cannot be saved.
        """
        model = self.find(spec)
        for finding in examine_model(model.path):
            if not finding.ok and finding.name != NO_TEMPLATE:  # it can still be talked to
                raise ModelError(finding.detail)
        self._choose("" if model.source == BUNDLED else str(model.path.absolute()))
        return model

    def removal(self, spec: str) -> Removal:
        """What removing a model would mean; nothing is removed.

        Raises: ModelError: there is no such file, or it is not ours to delete.
        """
        model = self.find(spec)
        if model.source != OURS:
            raise ModelError(f"{model.path}: lies outside of {self._paths.models} and is not ours to delete")
        made: tuple[int, ...] = ()
        if model.header:
            mark = fingerprint(model.path)
            made = tuple(p.version for p in self._store.profiles.list() if p.model_fingerprint == mark)
        in_use = self.in_use() == model.path.resolve()
        return Removal(model, 0 if model.path.is_symlink() else model.size, made, in_use)

    def remove(self, removal: Removal) -> None:
        """Remove a model; where it was in use the chosen one is from now on, or the bundled one where it was chosen.

        Raises: ModelError: it cannot be deleted.
        """
        chosen = self._chosen()
        with suppress(ModelError):
            if resolve_model(chosen, self._paths).resolve() == removal.model.path.resolve():
                chosen = ""
        remove_model(removal.model.path, self._paths)
        if removal.in_use:
            self._choose(chosen)

    def give_up(self, unfinished: Unfinished) -> None:
        """Delete what came of an interrupted download.

        Raises: ModelError: it cannot be deleted.
        """
        give_up_download(unfinished, self._paths)

    def cached(self) -> builtins.list[Cached]:
        """What the program keeps to be quicker."""
        return cached(self._paths)

    def clear_cache(self) -> builtins.list[Cached]:
        """Delete what the program keeps to be quicker; returns what was deleted.

        Raises: AssistantError: something cannot be deleted.
        """
        return clear_cache(self._paths)
