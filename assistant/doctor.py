"""Checks a stranger can run: does everything that a chat and a rebuild need work on this machine?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from assistant.app import Assistant
from assistant.errors import AssistantError
from assistant.models.header import read_header

REBUILD_NEEDS = ("torch", "transformers", "safetensors", "gguf")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


async def examine(home: Path | None, model: str | None) -> list[Check]:
    """All checks in order; one that fails does not stop the others that can still be made."""
    try:
        assistant = Assistant.open(home, model)
    except AssistantError as error:
        return [Check("home", False, str(error))]
    try:
        return [
            Check("home", True, str(assistant.paths.data)),
            _check("history", lambda: f"{len(assistant.chat.conversations())} conversations"),
            _check("items", lambda: _items(assistant)),
            _check("model", lambda: _model(assistant)),
            *await _engine(assistant),
            _check("profile", lambda: _profile(assistant)),
            _check("rebuild", _rebuild_needs),
        ]
    finally:
        await assistant.close()


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except AssistantError as error:
        return Check(name, False, str(error))


async def _engine(assistant: Assistant) -> list[Check]:
    try:
        loaded = await assistant.chat.start()
    except AssistantError as error:
        return [Check("engine", False, str(error))]
    steers = "the logits move with a control vector" if loaded.steerable else "the architecture ignores control vectors"
    return [
        Check(
            "engine",
            True,
            f"{loaded.name}: {loaded.blocks} blocks of width {loaded.width}, loaded in {loaded.seconds:.1f} s",
        ),
        Check("steering", loaded.steerable, steers),
    ]


def _items(assistant: Assistant) -> str:
    items = assistant.preferences.items()
    return f"{sum(item.used for item in items)} of {len(items)} texts can be learned from"


def _model(assistant: Assistant) -> str:
    path = assistant.model.path()
    header = read_header(path)
    return f"{path.name}: {header.architecture}, {header.quantization}, fingerprint {assistant.model.fingerprint()}"


def _profile(assistant: Assistant) -> str:
    status = assistant.chat.steering()
    if status.on:
        return f"version {status.version} steers at strength {status.strength:g}"
    return f"replies are not steered: {status.note}"


def _rebuild_needs() -> str:
    try:
        return ", ".join(f"{name} {version(name)}" for name in REBUILD_NEEDS)
    except PackageNotFoundError as error:
        raise AssistantError(f"{error.name} is not installed; run `make run` again") from error
