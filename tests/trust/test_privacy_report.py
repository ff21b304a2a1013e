"""`assistant doctor --privacy` against what the operating system says."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from assistant.paths import resolve_paths
from assistant.privacy.files import kinds, open_to_others
from assistant.privacy.looking import look
from tests.assistant.conftest import CommandLine, command_environment, prepare_home
from tests.tiny_models import write_tiny_model

CHECKS = ["permissions", "engine", "sockets", "telemetry", "connections", "sent"]


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    folder = tmp_path_factory.mktemp("privacy")
    return CommandLine(prepare_home(folder / "home", write_tiny_model(folder / "tiny.gguf")))


def checks(cli: CommandLine) -> dict[str, tuple[bool, str]]:
    result = cli("doctor", "--privacy", "--json")
    found = {check["name"]: (check["ok"], check["detail"]) for check in json.loads(result.stdout)}
    assert result.returncode == (0 if all(ok for ok, _ in found.values()) else 1)
    return found


def test_a_healthy_home_in_plain_words(cli: CommandLine):
    assert cli("chat", "hello").returncode == 0
    found = checks(cli)
    assert [name for name in found if name in CHECKS] == CHECKS
    assert all(ok for ok, _ in found.values())
    assert found["sockets"][1] == "none open in 2 processes (the app and its engine)"
    assert found["sent"][1] == "nothing; no download was ever asked for"
    assert "no library has tried" in found["connections"][1]
    printed = cli("doctor", "--privacy").stdout.decode()
    assert "unshare -rn assistant" in printed
    assert all(line.startswith("ok ") for line in printed.splitlines()[: len(found)])


def test_every_file_is_counted_once_with_its_size(cli: CommandLine):
    paths = resolve_paths(cli.home)
    on_disk = [path for path in cli.home.rglob("*") if path.is_file()]
    found = kinds(paths)
    assert sum(kind.files for kind in found) == len(on_disk)
    assert sum(kind.size for kind in found) == sum(path.stat().st_size for path in on_disk)


@pytest.mark.parametrize("mode", [0o640, 0o602, 0o604])
def test_a_file_that_others_can_read_is_named(cli: CommandLine, mode: int):
    path = cli.home / "data" / "profiles" / "loose.gguf"
    path.write_text("x")
    path.chmod(mode)
    try:
        ok, detail = checks(cli)["permissions"]
        assert (ok, str(path) in detail) == (False, True)
    finally:
        path.unlink()


def test_links_are_not_followed(cli: CommandLine, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    link = cli.home / "data" / "models" / "linked.gguf"
    link.symlink_to(tmp_path / "elsewhere")
    try:
        assert open_to_others(resolve_paths(cli.home)) == []
    finally:
        link.unlink()


def test_a_home_on_another_disk_is_looked_at(tmp_path: Path):
    paths = resolve_paths(tmp_path / "home")
    disk = tmp_path / "disk"
    disk.mkdir(mode=0o700)
    paths.data.parent.mkdir(mode=0o700)
    paths.data.symlink_to(disk)
    paths.create()
    paths.database.touch(mode=0o604)
    assert open_to_others(paths) == [disk / "history.db"]
    assert [(kind.name, kind.files) for kind in kinds(paths)] == [("history", 1)]


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that another account reaches too: those above pytest's own are closed."""
    with TemporaryDirectory() as folder:
        yield Path(folder)


def test_a_folder_that_may_not_be_read_is_a_finding(reachable: Path):
    """Asked for as another account: root may read everything."""
    paths = resolve_paths(reachable)
    paths.create()
    (paths.data / "lost+found").mkdir(mode=0o700)
    program = (
        "import os, sys; from pathlib import Path; from assistant.paths import resolve_paths\n"
        "from assistant.privacy.looking import look\n"
        "home = Path(sys.argv[1])\n"
        "os.chmod(home / 'data/lost+found', 0)\n"
        "if os.geteuid() == 0:\n"
        "    for path in (home, *home.rglob('*')): os.chown(path, 54321, 54321)\n"
        "    os.setegid(54321); os.seteuid(54321)\n"
        "print(look(resolve_paths(home)).checks[0])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(reachable)], check=False, env=command_environment(), capture_output=True
    )
    assert b"lost+found; make it yours" in result.stdout, result.stderr


def test_when_a_download_was_last_asked_for_outlives_the_cache(tmp_path: Path):
    paths = resolve_paths(tmp_path / "home")
    paths.create()
    assert look(paths).checks[-1].detail == "nothing; no download was ever asked for"
    paths.last_download.touch()
    os.utime(paths.last_download, (0, 86_400 * 400))
    said = look(paths).checks[-1].detail
    assert "last on 1971-02-0" in said
    assert "with your token of the hub" in said


def test_a_settings_file_that_an_editor_left_open_is_tightened_and_a_linked_one_left_alone(tmp_path: Path):
    paths = resolve_paths(tmp_path / "home")
    paths.create()
    paths.settings.write_text("")
    paths.settings.chmod(0o644)
    paths.create()
    assert paths.settings.stat().st_mode & 0o777 == 0o600
    target = tmp_path / "dotfiles.toml"
    target.write_text("")
    target.chmod(0o644)
    paths.settings.unlink()
    paths.settings.symlink_to(target)
    paths.create()
    assert target.stat().st_mode & 0o777 == 0o644


TRIES = (
    "socket.getaddrinfo('localhost', 80)",
    "socket.gethostbyname('localhost')",
    "socket.create_connection(('127.0.0.1', PORT))",
    "socket.socket().connect(('127.0.0.1', PORT))",
    "socket.socket(socket.AF_INET6).connect(('::1', PORT))",
    "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
    "socket.socket().bind(('127.0.0.1', 0))",
    "urllib.request.urlopen('http://127.0.0.1:PORT')",
)


@pytest.mark.parametrize("attempt", TRIES)
def test_connections_are_refused_and_noted_without_where_they_went(attempt: str):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        program = (
            "import asyncio, socket, sys, urllib.error, urllib.request\n"
            "from assistant.no_network import forbid_network\n"
            "forbid_network(lambda note: print(note))\n"
            "asyncio.run(asyncio.sleep(0))\n"
            "try:\n"
            f"    {attempt.replace('PORT', str(server.getsockname()[1]))}\n"
            "except (PermissionError, urllib.error.URLError) as error:\n"
            "    print('refused', error)\n"
        )
        result = subprocess.run(
            [sys.executable, "-c", program], env=command_environment(), capture_output=True, text=True, check=True
        )
        with pytest.raises(BlockingIOError):
            server.accept()
    assert "a connection was refused: socket." in result.stdout
    assert "opens no connections" in result.stdout
    assert "127.0.0.1" not in result.stdout


def test_a_try_that_a_library_made_is_counted(cli: CommandLine):
    log = cli.home / "cache" / "rebuild.log"
    log.touch(mode=0o600)
    log.write_text("WARNING a connection was refused: socket.getaddrinfo\n" * 2)
    try:
        assert "2 tries of libraries were refused" in checks(cli)["connections"][1]
    finally:
        log.unlink()
