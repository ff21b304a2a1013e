"""Nothing leaves the machine: a whole session without a network, and one whose every use of a socket is watched."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.assistant.conftest import command_environment
from tests.trust.conftest import HOOK
from tests.trust.session import Session, prepare, whole, works

APART = ("unshare", "--user", "--map-root-user", "--net")
MODULES = tuple(f"assistant.{name}" for name in ("cli", "engine.worker", "rebuild.worker", "evaluation.worker"))


def noted(folder: Path) -> list[list[str]]:
    return [line.split(" ", 2) for line in (folder / "sockets").read_text().splitlines()]


def test_the_session_did_what_it_should(watched: Session):
    assert watched.failures() == {}
    assert len(list(watched.out.iterdir())) == 9


def test_no_process_of_ours_uses_a_socket(watched: Session):
    lines = noted(watched.folder)
    started = " ".join(words for _, event, words in lines if event == "started")
    assert [module for module in MODULES if module not in started] == []
    assert [line for line in lines if line[1] != "started"] == []


def test_native_code_opens_no_socket_either(watched: Session):
    trace = watched.folder / "trace"
    if not trace.exists():
        pytest.skip("strace is not installed, or may not look at other processes here")
    families = re.findall(r"socket(?:pair)?\((AF_\w+)", trace.read_text())
    assert families, "asyncio's own pair at least"
    assert set(families) == {"AF_UNIX"}
    connected = re.findall(r"connect\(\d+, (\{[^}]*\})", trace.read_text())
    # The C library asks a local daemon for names of users, where there is one.
    assert {where for where in connected if "/nscd/" not in where} == set()


def test_the_hook_sees_what_it_should(tmp_path: Path):
    changes = {"PYTHONPATH": str(HOOK), "WATCHED_SOCKETS": str(tmp_path / "sockets")}
    program = (
        "import socket, subprocess, sys\n"
        "subprocess.run([sys.executable, '-P', '-c', 'import socket; socket.getaddrinfo(\"localhost\", 1)'])\n"
        "with socket.socket() as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:\n"
        "    one.connect_ex(('127.0.0.1', 9))\n"
        "    other.sendto(b'x', ('127.0.0.1', 9))\n"
    )
    subprocess.run([sys.executable, "-P", "-c", program], env=command_environment(**changes), check=True)
    events = [event for _, event, _ in noted(tmp_path)]
    assert events.count("started") == 2
    assert {"socket.getaddrinfo", "socket.connect", "socket.sendto", "socket.__new__"} <= set(events)


def test_a_whole_session_works_without_any_network(tmp_path_factory: pytest.TempPathFactory):
    if not works(APART):
        pytest.skip("this machine does not allow network namespaces of one's own")
    folder = tmp_path_factory.mktemp("apart")
    prepare(folder)
    session = whole(Session(folder, APART))
    assert session.failures() == {}
    assert len(list(session.out.iterdir())) == 9
    interfaces = subprocess.run([*APART, "cat", "/proc/net/dev"], capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^\s*(\w+):", interfaces, re.MULTILINE) == ["lo"]
