"""A disk that is really full (a small one, mounted for the test): every command ends in words, and nothing is lost."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from assistant.app import Assistant
from tests.assistant.conftest import CommandLine, command_environment, prepare_home
from tests.assistant.made import add_profile, vector_bytes
from tests.assistant.test_rebuild import TEXTS
from tests.tiny_models import write_tiny_model, write_vector
from tests.trust.full_disk import FREE_KIB

APART = ("unshare", "--user", "--map-root-user", "--mount")
DISK_KIB = 6144


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """Every command at every amount of room that is left."""
    folder = tmp_path_factory.mktemp("disk")
    disk, before = folder / "disk", folder / "before"
    disk.mkdir()
    if not mounts(disk):
        pytest.skip("this machine does not allow mounts of one's own")
    home = prepare_home(before / "home", write_tiny_model(folder / "tiny.gguf"))
    write_vector(folder / "v.gguf", {1: np.ones(64)})
    (folder / "texts.jsonl").write_text("".join(json.dumps({"prompt": p, "text": t}) + "\n" for p, t in TEXTS))
    cli = CommandLine(home)
    assert cli("chat", "Where does linen come from?").returncode == 0
    assistant = Assistant.open(home)
    assistant.profiles.use(add_profile(assistant, vector_bytes(folder)).version)
    assistant.vectors.add(folder / "v.gguf", "calm")
    assistant.store.close()
    steps = (
        f"mount -t tmpfs -o size={DISK_KIB}k none {shlex.quote(str(disk))}",
        f"cp -a {shlex.quote(str(home))} {shlex.quote(str(disk))}/home",
        f"exec {shlex.quote(sys.executable)} -m tests.trust.full_disk {shlex.quote(str(disk))}",
    )
    done = subprocess.run(
        [*APART, "sh", "-ec", "; ".join(steps)],
        env=command_environment(),
        capture_output=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout)


def mounts(disk: Path) -> bool:
    command = [*APART, "mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_every_command_ends_by_itself_and_in_words(results: list[dict]):
    wrong = [one for one in results if one["code"] not in (0, 1) or "Traceback" in one["error"]]
    assert wrong == []
    speechless = [one for one in results if one["code"] == 1 and "error: " not in one["error"]]
    assert speechless == []


def test_nothing_that_was_said_is_lost(results: list[dict]):
    assert [one for one in results if not one["kept"]] == []


def test_reading_works_on_a_disk_without_any_room(results: list[dict]):
    reading = [one for one in results if one["words"] in ("history list", "search bread")]
    assert len(reading) == 2 * len(FREE_KIB)
    assert [one for one in reading if one["code"] != 0] == []


def test_with_room_enough_everything_works(results: list[dict]):
    free = max(FREE_KIB)
    assert [one for one in results if one["free"] == free and one["code"] != 0] == []


def test_without_room_what_must_be_written_is_refused(results: list[dict]):
    refused = {one["words"] for one in results if one["free"] == 0 and one["code"] == 1}
    assert {"export -o", "backup", "import"} <= {words.split("/")[0].strip() for words in refused}
