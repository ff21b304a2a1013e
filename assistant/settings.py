"""Settings: one schema, a TOML file that a person can edit, comments and unknown keys kept."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tomlkit.exceptions import TOMLKitError

from assistant.engine.protocol import Sampling
from assistant.errors import SettingsError
from steering.models.choice import Choice


class _Section(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class ModelSettings(_Section):
    """Which model answers."""

    path: str = Field(default="", title="Model", description="Path of a GGUF file; empty takes the bundled model.")
    context_tokens: int = Field(default=4096, ge=256, le=1_048_576, title="Context", description="Window in tokens.")
    threads: int = Field(
        default=0,
        ge=0,
        le=1024,
        title="Threads",
        description="Processor threads; 0 takes the physical cores.",
    )
    system_prompt: str = Field(
        default="", title="System prompt", description="Said to the model before every conversation."
    )


class SamplingSettings(_Section):
    """How the next token is drawn; what nobody has set is the model family's (`Settings.sampling_of`)."""

    temperature: float = Field(
        default=0.7, ge=0, le=5, title="Temperature", description="0 always takes the likeliest token."
    )
    top_k: int = Field(default=40, ge=0, le=1000, title="Top k", description="0 switches it off.")
    top_p: float = Field(default=0.95, gt=0, le=1, title="Top p", description="1 switches it off.")
    min_p: float = Field(default=0.05, ge=0, le=1, title="Min p", description="0 switches it off.")
    repeat_penalty: float = Field(default=1.05, ge=0.5, le=3, title="Repeat penalty", description="1 switches it off.")
    dry_multiplier: float = Field(
        default=0.8, ge=0, le=5, title="DRY", description="Penalty on repeated sequences; 0 switches it off."
    )
    max_tokens: int = Field(default=1024, ge=1, le=1_048_576, title="Longest reply", description="In tokens.")

    def as_sampling(self) -> Sampling:
        """As the engine takes it, with a new seed for every reply."""
        return Sampling(**self.model_dump())


class PreferenceSettings(_Section):
    """How preferences are learned."""

    learn_from_own_messages: bool = Field(
        default=True,
        title="Score my chat messages",
        description="They explain and describe; no vector learns from them.",
    )
    rebuild_automatically: bool = Field(
        default=False,
        title="Rebuild by itself",
        description="When a rebuild would be offered and no reply is being written; it can be cancelled and undone.",
    )
    estimator: str = Field(
        default=Choice.AUTOMATIC.value,
        title="What learns",
        description="automatic, torch, llama.cpp (less memory, weaker), or a folder of the model's safetensors.",
    )


class AppearanceSettings(_Section):
    """How the screens look."""

    theme: str = Field(default="textual-dark", title="Theme", description="Any Textual theme.")
    notify: bool = Field(
        default=True,
        title="Call me",
        description="Bell and notification when a long reply or a rebuild ends while the window is not in front.",
    )
    sidebar: bool = Field(default=True, title="Sidebar", description="Show the list of conversations.")


class Settings(_Section):
    """All settings, with their defaults."""

    model: ModelSettings = Field(default_factory=ModelSettings, title="Model")
    sampling: SamplingSettings = Field(default_factory=SamplingSettings, title="Sampling")
    preferences: PreferenceSettings = Field(default_factory=PreferenceSettings, title="Preferences")
    appearance: AppearanceSettings = Field(default_factory=AppearanceSettings, title="Appearance")
    keys: dict[str, str] = Field(
        default_factory=dict, title="Keys", description="Other keys, by what they do; commas between several."
    )
    models: dict[str, SamplingSettings] = Field(
        default_factory=dict, title="Models", description="Sampling of single models, by file name."
    )

    def sampling_of(self, model: str, family: Mapping[str, Any]) -> SamplingSettings:
        """Sampling of a model: what was set for it, else for all models, else its family's, else the defaults."""
        own = self.models.get(model, SamplingSettings())
        layers = (family, _set(self.sampling), _set(own))
        return SamplingSettings(**{key: value for layer in layers for key, value in layer.items()})


def _set(section: BaseModel) -> dict[str, Any]:
    return {key: getattr(section, key) for key in section.model_fields_set}


def load_settings(path: Path) -> Settings:
    """Read the settings file; defaults where it is absent.

    Raises: SettingsError: not TOML, not UTF-8, or a value that is not allowed (named with its key).
    """
    try:
        document = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise SettingsError(f"{path}: cannot be read as settings ({error}); correct or remove it") from error
    return _validated(document, path)


def save_setting(path: Path, section: str, key: str, value: str | float | bool | None, model: str = "") -> Settings:
    """Change one value in the file, leaving the rest of it as the person wrote it; returns the new settings.

    None takes the value out of the file: the default counts again. With `section` "models" it is that of one `model`.

    Raises: SettingsError: the value is not allowed, or the file cannot be read or written; the file is unchanged.
    """
    draft = path.with_suffix(".new")
    try:
        document = tomlkit.parse(path.read_bytes().decode() if path.exists() else "")
        table = _table(document, *(name for name in (section, model) if name))
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
        settings = _validated(document.unwrap(), path)
        written = tomlkit.dumps(document).encode()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.touch(mode=0o600)
        draft.write_bytes(written)
        draft.replace(path)
    except (OSError, UnicodeError, TOMLKitError, TypeError) as error:
        # No room for a draft leaves an empty one; where the folder cannot be written there is none.
        with suppress(OSError):
            draft.unlink()
        raise SettingsError(f"{path}: cannot save {section}.{key} ({error})") from error
    return settings


def _table(document: Any, *names: str) -> Any:
    """The table of these names, made where there is none."""
    for depth, name in enumerate(names, start=1):
        if name not in document:
            document[name] = tomlkit.table(is_super_table=depth < len(names))
        document = document[name]
    return document


def _validated(document: dict[str, Any], path: Path) -> Settings:
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{path}: {key}: {first['msg']} (found {first['input']!r})") from error
