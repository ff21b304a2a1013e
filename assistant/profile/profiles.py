"""Versions of the steering profile: use, roll back, strength, description, explanation, comparison, files."""

from __future__ import annotations

import asyncio
import builtins
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import AssistantError, ModelError, NoProfileError, RebuildError
from assistant.models.active import ActiveModel
from assistant.paths import Paths
from assistant.profile.combination import forget_combinations
from assistant.profile.comparison import Comparison, Side, compare
from assistant.profile.influence import Influential, influential
from assistant.profile.preferences import Preferences
from assistant.profile.version import IMPORTED, Explanation, Profile, spans_of, version_of
from assistant.records import PreferenceItem, SteeringState
from assistant.reporting import reports_storage_errors
from assistant.scratch import scratch_folder
from storage.errors import NotFoundError
from storage.private_files import create_private_file
from storage.records import EffectRecord
from storage.store import Store

if TYPE_CHECKING:
    from assistant.profile.version_file import VersionFile

MAX_STRENGTH = 2.0


@reports_storage_errors
class Profiles:
    """Profile versions of one home."""

    def __init__(self, store: Store, paths: Paths, preferences: Preferences, model: ActiveModel) -> None:
        self._store = store
        self._paths = paths
        self._preferences = preferences
        self._model = model

    def current(self) -> Profile | None:
        """The version in use."""
        version = self.state().version
        return None if version is None else self.get(version)

    def get(self, version: int) -> Profile:
        """One version.

        Raises: AssistantError: there is no such version.
        """
        try:
            record = self._store.profiles.get(version)
        except NotFoundError as error:
            raise AssistantError(
                f"there is no profile version {version}; `assistant profile list` shows them"
            ) from error
        return version_of(record, self.state(), self._fingerprint())

    def all(self) -> list[Profile]:
        """All versions, newest first; those kept by a program version with another outcome cannot be shown."""
        state, fingerprint, shown = self.state(), self._fingerprint(), builtins.list[Profile]()
        for record in self._store.profiles.list():
            with suppress(RebuildError):
                shown.append(version_of(record, state, fingerprint))
        return shown

    @property
    def known(self) -> bool:
        """Whether there is a version, in use or not."""
        return self._store.profiles.latest() is not None

    def state(self) -> SteeringState:
        """Version in use, on or off, strength."""
        return self._store.profiles.state()

    def use(self, version: int) -> Profile:
        """Put a version to use from the next message on (roll back or forward) and switch steering on.

        Raises: AssistantError: there is no such version, or it found nothing that steers.
        """
        profile = self.get(version)
        if not profile.steers:
            why = "its description is empty" if profile.emptied else profile.outcome.reason
            raise AssistantError(f"version {version} has nothing to steer with: {why}")
        self._store.profiles.set_state(version=version, enabled=True, strength=1.0)
        return self.get(version)

    def set_enabled(self, enabled: bool) -> None:
        """Switch steering on or off without losing the version or the strength.

        Raises: NoProfileError: there is no profile to switch on.
        """
        if enabled:
            self._require_current()
        self._store.profiles.set_state(enabled=enabled)

    def set_strength(self, strength: float) -> None:
        """Set the strength, 0 to 2 (1 = calibrated), in hundredths.

        Raises: AssistantError: out of range. NoProfileError: no profile yet.
        """
        self._require_current()
        if not 0 <= strength <= MAX_STRENGTH:
            raise AssistantError(
                f"strength {strength:g} is out of range; choose 0 to {MAX_STRENGTH:g} (1 = calibrated)"
            )
        self._store.profiles.set_state(strength=round(strength, 2))

    def set_description(self, text: str) -> Profile:
        """Replace the description of the version in use by the person's own words.

        Raises: AssistantError: no profile yet.
        """
        version = self._require_current().version
        self._store.profiles.set_description(version, text.strip())
        return self.get(version)

    def explain(self, item_id: str) -> Explanation:
        """Effects of one item under the version in use.

        Raises: AssistantError: no such item, or no profile yet.
        """
        learnable = self._preferences.get(item_id)
        profile = self._shown()
        record = self._scored(learnable.item, profile.model_fingerprint)
        return Explanation(
            item_id=item_id,
            context=learnable.item.context,
            text=learnable.item.text,
            spans=spans_of(record) if record else (),
            phrases=tuple(p for p in profile.outcome.phrases if item_id in p.item_ids),
            compared_with=record.history if record else (),
            unscored=len(learnable.item.text) - max(record.ends, default=0) if record else 0,
            left_out=learnable.why_left_out or ("" if record else "it is new since the last rebuild"),
            passages=learnable.passages,
        )

    def _scored(self, item: PreferenceItem, model: str) -> EffectRecord | None:
        """The latest effects of what counts as own words now: those of the version's model, else of what is there."""
        records = [one for one in self._store.effects.for_items([item.id]) if one.key.item_hash == item.scored_hash]
        of_model = [one for one in records if one.key.estimator.startswith(model)]
        return next(reversed(of_model or records), None)

    def influential(self) -> list[Influential]:
        """The texts that moved the vector of the version in use (else the newest), the most first.

        Raises: AssistantError: no profile yet.
        """
        return influential(self._shown().outcome, self._preferences.items())

    def export(self, path: Path) -> None:
        """Write the vector of the version in use as a llama.cpp control vector (GGUF), dose and strength applied.

        Raises: AssistantError: no vector, strength 0, or the file cannot be written; an existing file is kept then.
        """
        from steering.control_vector import ControlVector

        profile = self._require_current()
        source = self.vector_path(profile)
        strength = self.state().strength
        if source is None or strength == 0:
            raise AssistantError("there is no vector to export: the profile in use has none, or its strength is 0")
        if not path.name:
            raise AssistantError("name the file to write, for example mine.gguf")
        vector = ControlVector.read_gguf(source)
        try:
            (vector * strength).with_metadata(strength=f"{strength:g}").write_gguf(path)
        except OSError as error:
            raise AssistantError(f"{path}: cannot be written ({error.strerror or error})") from error

    def compare(self, before: int, after: int) -> Comparison:
        """What changed from one version to another.

        Raises: AssistantError: there is no such version.
        """
        return compare(self._side(before), self._side(after))

    async def export_version(self, version: int, path: Path, *, force: bool = False) -> None:
        """Write a version whole, with vector, words and figures, to a file that `import_version` reads; in a thread.

        Raises: AssistantError: no such version, there is a file already and not `force`, or it cannot be written.
        """
        from assistant.profile.version_file import write_version

        await asyncio.to_thread(write_version, path, self._held(version), force=force)

    async def import_version(self, path: Path) -> Profile:
        """Keep the version in a file as the next one, not in use; no text comes with it. It is read in a thread.

        Raises: AssistantError: no such file, or it is not taken; nothing is kept.
        """
        return self._keep(await asyncio.to_thread(self._read, path))

    def _held(self, version: int) -> VersionFile:
        from assistant.profile.version_file import VersionFile

        profile = self.get(version)
        return VersionFile(
            profile.created_at,
            profile.model_fingerprint,
            profile.description,
            profile.description_edited,
            profile.outcome,
            self.vector(profile),
        )

    def _read(self, path: Path) -> VersionFile:
        from assistant.profile.version_file import read_version

        held = read_version(path, self._scratch())
        if held.vector is not None and held.model_fingerprint == self._fingerprint():
            self._check_fit(path, held.vector)
        return held

    def _keep(self, held: VersionFile) -> Profile:
        record = self._store.profiles.add(
            model_fingerprint=held.model_fingerprint,
            inputs_hash=IMPORTED,
            outcome=asdict(held.outcome),
            description=held.description,
            vector=held.vector,
            item_hashes={},
            description_edited=held.description_edited,
            created_at=held.created_at,
        )
        return self.get(record.version)

    def check_deletable(self, version: int) -> None:
        """See whether a version may be erased.

        Raises: AssistantError: it steers now.
        """
        state = self.state()
        if state.enabled and state.version == version:
            raise AssistantError(
                f"version {version} is in use; put another one to use or switch the profile off, then delete it"
            )

    def delete(self, version: int) -> None:
        """Erase a version with its vector, phrases and figures; the texts it was learned from stay.

        Raises: AssistantError: there is no such version, or it steers now.
        """
        self.check_deletable(version)
        self._store.profiles.delete(version)
        path = self._paths.profile_vector(version)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise AssistantError(f"{path}: cannot be removed ({error.strerror}); remove it by hand") from error
        forget_combinations(self._paths.profiles)

    def vector(self, profile: Profile) -> bytes | None:
        """The version's vector as the bytes of a GGUF file; None where nothing helped."""
        return self._store.profiles.get(profile.version).vector

    def vector_path(self, profile: Profile) -> Path | None:
        """The version's vector as a GGUF file for the engine, written out of the database where it is not there."""
        vector = self.vector(profile)
        if vector is None:
            return None
        path = self._paths.profile_vector(profile.version)
        try:
            if not path.exists() or path.read_bytes() != vector:
                draft = path.with_suffix(".new")
                create_private_file(draft)
                draft.write_bytes(vector)
                draft.replace(path)
        except OSError as error:
            raise AssistantError(f"{path}: cannot be written ({error.strerror or error})") from error
        return path

    def _fingerprint(self) -> str:
        """Of the model at hand; empty where there is none."""
        try:
            return self._model.fingerprint()
        except ModelError:
            return ""

    def _side(self, version: int) -> Side:
        profile = self.get(version)
        items = None if profile.imported else self._store.profiles.get(version).item_hashes
        return Side(version, profile.description, profile.outcome, items)

    def _scratch(self) -> Path:
        try:
            return scratch_folder(self._paths.cache)
        except OSError as error:
            raise AssistantError(f"{self._paths.cache}: cannot be written ({error.strerror})") from error

    def _check_fit(self, path: Path, vector: bytes) -> None:
        from assistant.profile.version_file import vector_of

        header, read = self._model.header(), vector_of(vector, self._scratch())
        if read.width != header.width or read.layers[-1] >= header.blocks:
            raise AssistantError(f"{path}: its vector does not fit the model that it names")

    def _shown(self) -> Profile:
        """The version in use, else the newest one."""
        profile = self.current()
        if profile is None and (latest := self._store.profiles.latest()):
            profile = version_of(latest, self.state(), self._fingerprint())
        if profile is None:
            raise AssistantError("there is no profile yet; run `assistant rebuild` or press Rebuild in the settings")
        return profile

    def _require_current(self) -> Profile:
        profile = self.current()
        if profile is None:
            raise NoProfileError(
                "no profile is in use; run `assistant rebuild`, or choose one with `assistant profile use`"
            )
        return profile
