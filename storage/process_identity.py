"""Which process wrote something, told apart from a later process that got the same number."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

_PROC = Path("/proc")
_STARTED_FIELD = 19
"""Index of the start time (clock ticks since boot) in /proc/<pid>/stat after the command's last bracket."""


@cache
def _own_identity(pid: int) -> str | None:
    return identity_of(pid)


def own_identity() -> str | None:
    """The identity of this process; None where the platform does not tell."""
    return _own_identity(os.getpid())


def identity_of(pid: int) -> str | None:
    """Process number with its start time, unique across restarts of the machine; None: no such process."""
    started = _started_linux(pid) if (_PROC / "self/stat").exists() else _started_ps(pid)
    return f"{pid} {started}" if started else None


def is_running(identity: str | None) -> bool:
    """Whether the very process that had this identity still runs."""
    return identity is not None and identity_of(int(identity.split()[0])) == identity


def _started_linux(pid: int) -> str | None:
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else f"{boot} {fields[_STARTED_FIELD]}"


def _started_ps(pid: int) -> str | None:
    # A fixed locale and time zone make the answer comparable between processes.
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    try:
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return " ".join(found.stdout.split()) or None
