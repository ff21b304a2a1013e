"""One whole session that several tests look at: it takes most of a minute."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trust.session import Session, prepare, whole, works

HOOK = Path(__file__).parent / "hook"
TRACE = ("strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=network,open,openat,creat,mkdir,mkdirat")


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session under a hook in every Python process and, where it is at hand, under strace."""
    folder = tmp_path_factory.mktemp("watched")
    prepare(folder)
    prefix = (*TRACE, "-A", "-o", str(folder / "trace")) if works([*TRACE, "-o", "/dev/null"]) else ()
    changes = {"PYTHONPATH": str(HOOK), "WATCHED_SOCKETS": str(folder / "sockets"), "PYTHONDONTWRITEBYTECODE": "1"}
    return whole(Session(folder, prefix, changes))
