"""A look at what is private and whether it still is: files, permissions, connections, what was sent."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from assistant.check import Check
from assistant.child import QUIET
from assistant.errors import AssistantError
from assistant.figures import count
from assistant.no_network import NOTE
from assistant.paths import Paths
from assistant.privacy.files import OTHERS, Kind, kinds, open_to_others, unreadable

SHOWN = 3
WHOSE = {1: "the app", 2: "the app and its engine"}


@dataclass(frozen=True, slots=True)
class Look:
    """What was found: files by kind, the checks, and what other accounts of the machine can open."""

    kinds: tuple[Kind, ...]
    checks: tuple[Check, ...]
    open_to_others: tuple[Path, ...]


class Privacy:
    """One home, looked at from outside."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    async def look(self) -> Look:
        """Look at everything now, off the event loop: a home may have many files."""
        return await asyncio.to_thread(look, self._paths)

    async def close_to_others(self) -> int:
        """Take every right of other accounts from files and folders of the home; returns of how many.

        Raises: AssistantError: one of them cannot be closed; those before it are.
        """
        return await asyncio.to_thread(_close, open_to_others(self._paths))


def look(paths: Paths) -> Look:
    """Look at the files of the home, at this process and those that it started, and at what they noted."""
    found = tuple(open_to_others(paths))
    checks = (_permissions(found, unreadable(paths)), _sockets(), _telemetry(), _refused(paths), _sent(paths))
    return Look(tuple(kinds(paths)), checks, found)


def _close(found: list[Path]) -> int:
    for path in found:
        try:
            path.chmod(path.stat().st_mode & ~OTHERS)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise AssistantError(f"{path}: cannot be closed to others ({error.strerror})") from error
    return len(found)


def _permissions(found: tuple[Path, ...], unread: list[Path]) -> Check:
    opened = f"open to others: {_named(found)}; correct it with chmod go-rwx" if found else ""
    closed = f"cannot be looked into: {_named(unread)}; make it yours with chown, or move it away" if unread else ""
    if opened or closed:
        return Check("permissions", False, ". ".join(filter(None, (opened, closed))))
    return Check("permissions", True, "every file and folder is readable by you alone (0600, 0700)")


def _named(found: Sequence[Path]) -> str:
    return ", ".join(map(str, found[:SHOWN])) + (", …" if len(found) > SHOWN else "")


def _processes() -> list[psutil.Process]:
    own = psutil.Process()
    return [own, *own.children(recursive=True)]


def _sockets() -> Check:
    processes = _processes()
    try:
        found = [(process.pid, one) for process in processes for one in process.net_connections(kind="inet")]
    except psutil.Error as error:
        return Check("sockets", False, f"cannot be looked at on this machine ({type(error).__name__})")
    if found:
        return Check("sockets", False, f"open: {', '.join(f'process {pid}: {one.laddr}' for pid, one in found)}")
    number = count(len(processes), "process", "processes")
    whose = WHOSE.get(len(processes), "the app and what it started")
    return Check("sockets", True, f"none open in {number} ({whose})")


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


def _refused(paths: Paths) -> Check:
    """What libraries in the engine and the rebuild tried, as their logs note it."""
    notes = 0
    for log in paths.logs:
        if log.exists():
            notes += log.read_bytes().count(NOTE.encode())
    tried = f"{notes} tries of libraries were refused" if notes else "no library has tried"
    return Check("connections", True, f"refused in the app, the engine and the rebuild; {tried}")


def _sent(paths: Paths) -> Check:
    asked = [path.stat().st_mtime for path in (paths.last_download, paths.download_log) if path.exists()]
    if not asked:
        return Check("sent", True, "nothing; no download was ever asked for")
    when = datetime.fromtimestamp(max(asked)).astimezone()
    return Check(
        "sent",
        True,
        "nothing of what you say; the names of models you asked to download, with your token of the hub if one is set "
        f"(HF_TOKEN, or a login of its tools), last on {when:%Y-%m-%d %H:%M}",
    )
