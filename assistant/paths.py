"""Where the settings, the data and the cache lie: under one home folder, or where the platform puts them."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from assistant.errors import AssistantError

APP_NAME = "private-assistant"


TEMPORARY = "tmp"
"""Folder of the cache for files that go with the process that made them."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Folders and files of one home. Everything under `cache` can be deleted at any time."""

    config: Path
    data: Path
    cache: Path

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.config / "settings.toml"

    @property
    def database(self) -> Path:
        """The history."""
        return self.data / "history.db"

    @property
    def models(self) -> Path:
        """Model files that the person added."""
        return self.data / "models"

    @property
    def profiles(self) -> Path:
        """Control vectors of the profile versions, as GGUF files."""
        return self.data / "profiles"

    def profile_vector(self, version: int) -> Path:
        """The control vector of a profile version."""
        return self.profiles / f"version-{version}.gguf"

    @property
    def estimators(self) -> Path:
        """Converted estimator weights, by fingerprint."""
        return self.cache / "estimators"

    @property
    def tunings(self) -> Path:
        """How each model computes fastest on this machine, as it was measured."""
        return self.cache / "tunings.json"

    @property
    def rebuild_offer(self) -> Path:
        """Which offer of a rebuild was put off, and which rebuild was tried without being asked: numbers only."""
        return self.cache / "rebuild-offer.json"

    @property
    def engine_log(self) -> Path:
        """What the engine's native code prints; never text of a conversation."""
        return self.cache / "engine.log"

    @property
    def rebuild_log(self) -> Path:
        """What the rebuild's libraries print; never text of a conversation."""
        return self.cache / "rebuild.log"

    @property
    def download_log(self) -> Path:
        """What the download's libraries print."""
        return self.cache / "download.log"

    @property
    def last_download(self) -> Path:
        """An empty file, as old as the last download that was asked for: the log goes with the cache."""
        return self.data / "last-download"

    @property
    def evaluation_log(self) -> Path:
        """What the evaluation's libraries print."""
        return self.cache / "evaluation.log"

    @property
    def evaluations(self) -> Path:
        """What evaluations measured that were given no file of their own."""
        return self.cache / "evaluations.jsonl"

    @property
    def editing(self) -> Path:
        """A prompt, while it is written in another editor: a folder of this process, which goes with it."""
        return self.temporary / str(os.getpid()) / "editing"

    @property
    def temporary(self) -> Path:
        """Temporary files, in a folder for each process."""
        return self.cache / TEMPORARY

    @property
    def neutral(self) -> Path:
        """Replies of the models to neutral prompts."""
        return self.cache / "neutral"

    @property
    def logs(self) -> tuple[Path, ...]:
        """All logs."""
        return self.engine_log, self.rebuild_log, self.download_log, self.evaluation_log

    def create(self) -> None:
        """Make the folders, readable by the user only.

        Raises: AssistantError: one of them cannot be made or written.
        """
        for folder in (self.config, self.data, self.cache, self.profiles, self.models):
            try:
                _make_private(folder)
            except OSError as error:
                raise AssistantError(
                    f"{folder}: cannot be made or written ({error.strerror or error}); "
                    "make it writable or name another folder with --home"
                ) from error
        _tighten(self.settings)


def _make_private(folder: Path) -> None:
    """Make a folder, and the missing ones above it too: `mkdir(parents=True)` leaves those to the umask."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
    # A folder on a read-only disk is left as it is, and what a link leads to may be shared on purpose.
    if not folder.is_symlink() and stat.S_IMODE(folder.stat().st_mode) != 0o700:
        folder.chmod(0o700)


def _tighten(settings: Path) -> None:
    """A settings file that an editor wrote; a linked one is not ours to change."""
    with suppress(OSError):
        mode = settings.lstat().st_mode
        if stat.S_ISREG(mode) and stat.S_IMODE(mode) != 0o600:
            settings.chmod(0o600)


def resolve_paths(home: Path | None = None) -> Paths:
    """Paths under `home`, else under ASSISTANT_HOME, else where the platform puts them."""
    chosen = home or (Path(os.environ["ASSISTANT_HOME"]) if os.environ.get("ASSISTANT_HOME") else None)
    if chosen is not None:
        base = chosen.expanduser().absolute()
        return Paths(config=base / "config", data=base / "data", cache=base / "cache")
    directories = platformdirs.PlatformDirs(APP_NAME, appauthor=False)
    return Paths(
        config=directories.user_config_path,
        data=directories.user_data_path,
        cache=directories.user_cache_path,
    )
