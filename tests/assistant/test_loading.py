"""A model is measured once, and one that took the program down is not loaded again by itself."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from assistant.app import Assistant
from assistant.engine.protocol import Load, Tuning
from assistant.engine.tunings import Tunings
from assistant.errors import EngineDied, EngineError
from assistant.models.attempts import LoadAttempts
from tests.assistant.conftest import children
from tests.assistant.test_chat import say

FINGERPRINT = "f" * 32
TUNING = Tuning(3, 2, 128, flash_attention=False, kv_type="q8_0")


@pytest.fixture
def asked(monkeypatch) -> list[Load]:
    """The requests that reach the engine."""
    from assistant.engine.process import Engine

    seen: list[Load] = []
    load = Engine.load

    async def spied(self, request, on_loading=None):
        seen.append(request)
        return await load(self, request, on_loading)

    monkeypatch.setattr(Engine, "load", spied)
    return seen


def notes(assistant) -> list:
    return list(assistant.paths.cache.glob("loading-*"))


def test_a_tuning_comes_back_for_the_same_model_machine_and_threads(tmp_path):
    tunings = Tunings(tmp_path / "tunings.json")
    assert tunings.get(FINGERPRINT, None) is None
    tunings.put(FINGERPRINT, None, TUNING)
    tunings.put(FINGERPRINT, 4, Tuning(4))
    assert Tunings(tmp_path / "tunings.json").get(FINGERPRINT, None) == TUNING
    assert tunings.get(FINGERPRINT, 4) == Tuning(4)
    assert tunings.get(FINGERPRINT, 2) is None
    assert tunings.get("0" * 32, None) is None
    assert stat.S_IMODE((tmp_path / "tunings.json").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["tunings.json"]


@pytest.mark.parametrize("content", ["", "no json", "[1]", '{"x": 1}', "\x00", json.dumps({"y": asdict(TUNING)})])
def test_a_broken_file_only_means_measuring_again(tmp_path, content):
    path = tmp_path / "tunings.json"
    path.write_text(content)
    tunings = Tunings(path)
    assert tunings.get(FINGERPRINT, None) is None
    tunings.put(FINGERPRINT, None, TUNING)
    assert tunings.get(FINGERPRINT, None) == TUNING


def test_a_tuning_of_a_later_version_is_not_used(tmp_path):
    path = tmp_path / "tunings.json"
    Tunings(path).put(FINGERPRINT, None, TUNING)
    path.write_text(path.read_text().replace('"q8_0"', '"q2_9"'))
    assert Tunings(path).get(FINGERPRINT, None) is None


async def test_a_remembered_tuning_is_asked_for(assistant, asked):
    tunings = Tunings(assistant.paths.tunings)
    tunings.put(assistant.model.fingerprint(), 1, Tuning(1, batch_tokens=64))
    loaded = await assistant.chat.start()
    assert asked[0].tuning == loaded.tuning == Tuning(1, batch_tokens=64)
    assert not loaded.measured


async def test_loading_says_how_far_it_is_and_leaves_no_note(assistant):
    shares: list[float] = []
    await assistant.chat.start(by_itself=True, on_loading=shares.append)
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
    assert notes(assistant) == []


async def test_a_refusal_in_words_is_no_crash(assistant, tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(assistant.model.path().read_bytes()[:-1000])
    assistant.change_setting("model", "path", str(broken))
    for _ in range(2):
        with pytest.raises(EngineError, match="truncated"):
            await assistant.chat.start(by_itself=True)
    assert notes(assistant) == []


async def test_a_model_that_killed_the_engine_waits_for_the_person(assistant, home, monkeypatch):
    from assistant.engine.process import Engine

    load = Engine.load

    async def killed(self, request, on_loading=None):
        await self.start()
        os.kill(self.pid, signal.SIGKILL)
        return await load(self, request, on_loading)

    monkeypatch.setattr(Engine, "load", killed)
    with pytest.raises(EngineDied, match="killed by signal 9"):
        await assistant.chat.start(by_itself=True)
    monkeypatch.undo()
    with pytest.raises(EngineError, match="died when this model was last loaded, so it is not loaded by itself"):
        await assistant.chat.start(by_itself=True)
    assert children(os.getpid()) == []
    second = Assistant.open(home)
    with pytest.raises(EngineError, match="not loaded by itself"):
        await second.chat.start(by_itself=True)
    # Asked for by the person it is tried, and once it works it is trusted again.
    assert (await say(second, second.chat.new_conversation().id, "hello you")).text
    await second.close()
    await assistant.chat.start(by_itself=True)


def test_a_note_of_a_process_that_still_loads_is_no_crash(tmp_path, monkeypatch):
    attempts = LoadAttempts(tmp_path)
    with attempts.noted(FINGERPRINT):
        monkeypatch.setattr("assistant.models.attempts.own_identity", lambda: "another process")
        assert not LoadAttempts(tmp_path).crashed(FINGERPRINT)
        monkeypatch.setattr("assistant.models.attempts.is_running", lambda identity: False)
        assert LoadAttempts(tmp_path).crashed(FINGERPRINT)
        assert not LoadAttempts(tmp_path).crashed("0" * 32)
    assert not attempts.crashed(FINGERPRINT)


def test_a_read_only_disk_keeps_nobody_from_loading(tmp_path, monkeypatch):
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    (tmp_path / f"loading-{FINGERPRINT}-1").touch()
    for name in ("unlink", "write_text"):
        monkeypatch.setattr(Path, name, read_only)
    with LoadAttempts(tmp_path).noted(FINGERPRINT):
        pass


@pytest.mark.parametrize(
    ("sign", "crash"), [(signal.SIGHUP, False), (signal.SIGTERM, False), (signal.SIGKILL, True)], ids=str
)
def test_an_end_that_somebody_asked_for_is_no_crash(tmp_path, sign, crash):
    """The program is ended while it loads a model."""
    script = (
        "import os, signal, sys; from pathlib import Path; from assistant.models.attempts import LoadAttempts\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        f"with LoadAttempts(Path(sys.argv[1])).noted({FINGERPRINT!r}):\n"
        f"    os.kill(os.getpid(), {int(sign)})\n"
        "    signal.pause()"
    )
    ended = subprocess.run([sys.executable, "-P", "-c", script, str(tmp_path)], check=False, timeout=60)
    assert ended.returncode == -sign
    assert LoadAttempts(tmp_path).crashed(FINGERPRINT) is crash
