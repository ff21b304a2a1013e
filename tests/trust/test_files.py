"""After a whole session under a careless umask: who can read what, and what was written where."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from tests.trust.session import Session

WRITES = re.compile(r'(?:open|openat|creat|mkdir|mkdirat)\((?:AT_FDCWD, )?"([^"]+)"(.*)\) = [0-9]+')
DEVICES = ("/dev/null", "/dev/tty", "/dev/pts/", "/dev/shm/sem.", "/proc/self/")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_every_folder_is_0700_and_every_file_0600(watched: Session):
    found = list(watched.home.rglob("*"))  # the home itself was there before: a person's folder is theirs
    assert {path: oct(mode(path)) for path in found if path.is_dir() and mode(path) != 0o700} == {}
    assert {path: oct(mode(path)) for path in found if path.is_file() and mode(path) != 0o600} == {}
    assert {path.suffix for path in found} >= {".db", ".gguf", ".log", ".toml", ".json", ".safetensors"}


def test_exports_and_backups_are_0600_too(watched: Session):
    files = list(watched.out.iterdir())
    assert {path.suffix for path in files} == {".gguf", ".json", ".markdown", ".jsonl", ".db", ".png", ".svg"}
    assert {mode(path) for path in files} == {0o600}


def test_no_temporary_file_is_left_inside_or_outside(watched: Session):
    assert list((watched.folder / "tmp").iterdir()) == []
    assert [path for path in watched.home.rglob("*") if path.suffix in (".new", ".partial", ".tmp")] == []
    assert not (watched.home / "cache" / "tmp").exists()


def test_nothing_is_ever_written_outside_of_the_home_but_what_was_asked_for(watched: Session):
    trace = watched.folder / "trace"
    if not trace.exists():
        pytest.skip("strace is not installed, or may not look at other processes here")
    written = {
        os.path.normpath(path)
        for path, flags in WRITES.findall(trace.read_text(errors="replace"))
        if not flags.startswith(", O_RDONLY") or "O_CREAT" in flags
    }
    inside = (str(watched.home), str(watched.out), str(watched.folder / "sockets"))
    assert any(path.startswith(str(watched.home / "cache" / "tmp")) for path in written), "the trace sees writes"
    assert {path for path in written if not path.startswith((*inside, *DEVICES))} == set()


def test_the_machines_fonts_are_not_asked_for(watched: Session):
    # fontconfig writes down what it finds, outside of the home; only the first time on a machine.
    trace = watched.folder / "trace"
    if not trace.exists():
        pytest.skip("strace is not installed, or may not look at other processes here")
    assert "libfontconfig" not in trace.read_text(errors="replace")


def test_no_log_holds_a_word_of_the_session(watched: Session):
    logs = list((watched.home / "cache").glob("*.log"))
    assert logs
    text = b"".join(log.read_bytes() for log in logs).lower()
    assert [word for word in (b"grandmother", b"bread", b"ferns", b"screens") if word in text] == []
