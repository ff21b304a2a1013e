"""`assistant doctor --privacy`: files, permissions, connections, and what was sent, in plain words."""

from __future__ import annotations

from pathlib import Path

from assistant.app import Assistant
from assistant.check import Check
from assistant.errors import AssistantError
from assistant.figures import count
from assistant.privacy.files import WHAT, Kind


async def examine_privacy(home: Path | None, model: str | None) -> list[Check]:
    """What lies where, who can read it, and which connections are open while a model is loaded."""
    try:
        assistant = Assistant.open(home, model)
    except AssistantError as error:
        return [Check("home", False, str(error))]
    try:
        engine = await _engine(assistant)
        found = await assistant.privacy.look()
        permissions, *others = found.checks
        return [*(Check(kind.name, True, _words(kind)) for kind in found.kinds), permissions, engine, *others]
    finally:
        await assistant.close()


async def _engine(assistant: Assistant) -> Check:
    """With a model loaded there is more to look at; without one the app itself still is."""
    try:
        loaded = await assistant.chat.start()
    except AssistantError as error:
        return Check("engine", False, f"not looked at: {error}")
    return Check("engine", True, f"runs with {loaded.name} while this is looked at")


def _words(kind: Kind) -> str:
    return f"{WHAT[kind.name]}: {count(kind.files, 'file')}, {_size(kind.size)}"


def _size(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB" if size >= 2**20 else f"{size / 2**10:,.1f} KiB"
