"""`assistant doctor --privacy`: files, permissions, connections, and what was sent, in plain words."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import psutil

from assistant.app import Assistant
from assistant.child import QUIET
from assistant.doctor import Check
from assistant.errors import AssistantError
from assistant.no_network import NOTE
from assistant.privacy.files import WHAT, Kind, kinds, open_to_others

SHOWN = 3


async def examine_privacy(home: Path | None, model: str | None) -> list[Check]:
    """What lies where, who can read it, and which connections are open while a model is loaded."""
    try:
        assistant = Assistant.open(home, model)
    except AssistantError as error:
        return [Check("home", False, str(error))]
    try:
        engine = await _engine(assistant)
        return [
            *(Check(kind.name, True, _words(kind)) for kind in kinds(assistant.paths)),
            _permissions(assistant),
            engine,
            _sockets(),
            _telemetry(),
            _refused(assistant),
            _sent(assistant),
        ]
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
    files = "1 file" if kind.files == 1 else f"{kind.files:,} files"
    return f"{WHAT[kind.name]}: {files}, {_size(kind.size)}"


def _size(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB" if size >= 2**20 else f"{size / 2**10:,.1f} KiB"


def _permissions(assistant: Assistant) -> Check:
    found = open_to_others(assistant.paths)
    if not found:
        return Check("permissions", True, "every file and folder is readable by you alone (0600, 0700)")
    named = ", ".join(map(str, found[:SHOWN])) + (", …" if len(found) > SHOWN else "")
    return Check("permissions", False, f"open to others: {named}; correct it with chmod go-rwx")


def _processes() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def _sockets() -> Check:
    try:
        found = [(process.pid, one) for process in _processes() for one in process.net_connections(kind="inet")]
    except psutil.Error as error:
        return Check("sockets", False, f"cannot be looked at on this machine ({type(error).__name__})")
    if found:
        return Check("sockets", False, f"open: {', '.join(f'process {pid}: {one.laddr}' for pid, one in found)}")
    return Check("sockets", True, f"none open in {len(_processes())} processes (the app and its engine)")


def _telemetry() -> Check:
    """As the children really have it, not as it is meant."""
    loud = [
        str(process.pid)
        for process in _processes()
        if process.pid != os.getpid() and any(_environment(process).get(name) != value for name, value in QUIET.items())
    ]
    if loud:
        return Check("telemetry", False, f"not switched off in process {', '.join(loud)}")
    return Check("telemetry", True, "switched off in every process; nothing looks for updates")


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except psutil.Error:
        return {}


def _refused(assistant: Assistant) -> Check:
    """What libraries in the engine and the rebuild tried, as their logs note it."""
    notes = 0
    for log in assistant.paths.logs:
        if log.exists():
            notes += log.read_bytes().count(NOTE.encode())
    tried = f"{notes} tries of libraries were refused" if notes else "no library has tried"
    return Check("connections", True, f"refused in the app, the engine and the rebuild; {tried}")


def _sent(assistant: Assistant) -> Check:
    asked = assistant.paths.download_log
    if not asked.exists():
        return Check("sent", True, "nothing; no download was ever asked for")
    when = datetime.fromtimestamp(asked.stat().st_mtime).astimezone()
    return Check(
        "sent", True, f"nothing of yours; the names of models you asked to download, last on {when:%Y-%m-%d %H:%M}"
    )
