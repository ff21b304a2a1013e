"""`assistant models` and `assistant cache` as a person runs them."""

from __future__ import annotations

import json
import shutil
import signal
import stat
import threading
from pathlib import Path

import pytest

from assistant.app import Assistant
from assistant.models.bundled import bundled_model
from assistant.models.elsewhere import models_elsewhere
from tests.assistant.conftest import one_line
from tests.assistant.hub import REPOSITORY, Hub, serving
from tests.assistant.made import add_profile, vector_bytes
from tests.tiny_models import write_tiny_model


@pytest.fixture
def ours(home) -> Path:
    folder = home / "data" / "models"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def other(tmp_path) -> Path:
    return write_tiny_model(tmp_path / "other.gguf", seed=1)


def ollama(folder: Path, weights: bytes, *where: str) -> Path:
    blob = folder / "blobs" / "sha256-abc123"
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(weights)
    manifest = folder.joinpath("manifests", *where)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    layers = [
        {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:abc123"},
        {"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:def"},
    ]
    manifest.write_text(json.dumps({"layers": layers}))
    return blob


def test_a_link_is_not_moved_away_from_what_it_leads_to(cli, ours, other, tmp_path):
    (tmp_path / "snapshots").mkdir()
    link = tmp_path / "snapshots" / "small.gguf"
    link.symlink_to("../other.gguf")
    assert f"is a link to {other}; add that file, or add this one without --move" in one_line(
        cli("models", "add", link, "--move")
    )
    assert link.is_symlink() and list(ours.glob("*.gguf")) == []
    assert cli("models", "add", link).returncode == 0
    assert (ours / "small.gguf").resolve() == other


def test_a_model_is_linked_used_and_removed(cli, ours, other):
    assert cli("models", "add", other).stdout.decode() == f"other.gguf: linked into {ours}\n"
    assert (ours / "other.gguf").readlink() == other
    assert "is there already" in one_line(cli("models", "add", other))
    assert cli("models", "use", "other.gguf").stdout.startswith(b"in use: other.gguf: Tiny")
    listed = cli("models", "list").stdout.decode().splitlines()
    assert [line for line in listed if line.startswith("*")] == ["* other.gguf: Tiny, F32, 1 MB, context 2048"]
    assert cli("chat", "hello").returncode == 0
    asked = cli("models", "remove", "other.gguf", stdin="n\n")
    assert asked.returncode == 130
    assert b"only the link goes, the file stays; it is in use, the bundled model will answer" in asked.stderr
    assert (ours / "other.gguf").is_symlink()
    assert cli("models", "remove", "other.gguf", "--yes").returncode == 0
    assert other.is_file()
    assert not (ours / "other.gguf").is_symlink()
    assert 'path = ""' in (cli.home / "config" / "settings.toml").read_text()


def test_a_model_is_moved(cli, ours, other):
    size = other.stat().st_size
    assert cli("models", "add", other, "--move").returncode == 0
    assert not other.exists()
    assert stat.S_IMODE((ours / "other.gguf").stat().st_mode) == 0o600
    assert f"frees {size / 1e6:.0f} MB" in cli("models", "remove", "other.gguf", "--yes").stdout.decode()
    assert list(ours.glob("*.gguf")) == []


async def test_removing_says_which_profiles_were_made_for_it(cli, home, tiny, tmp_path):
    assert cli("models", "add", tiny).returncode == 0
    opened = Assistant.open(home)
    add_profile(opened, vector_bytes(tmp_path))
    await opened.close()
    asked = cli("models", "remove", tiny.name, stdin="n\n")
    assert b"profile versions 1 were made for it" in asked.stderr


@pytest.mark.bundled
def test_a_model_named_like_the_bundled_one_is_used_and_removed(cli, ours, other):
    bundled = bundled_model()
    own = ours / bundled.name
    shutil.copy(other, own)
    assert b"in use: " + bundled.name.encode() + b":" in cli("models", "use", bundled.name).stdout
    assert f"* {bundled.name}:" in cli("models", "list").stdout.decode()
    assert f"in use: {bundled.name} (bundled)" in cli("models", "use", bundled).stdout.decode()
    assert cli("models", "remove", bundled.name, "--yes").returncode == 0
    assert not own.exists() and bundled.exists()


def test_what_is_not_ours_is_not_removed(cli, other):
    assert "is not ours to delete" in one_line(cli("models", "remove", other, "--yes"))
    assert other.is_file()


@pytest.mark.parametrize("command", ["use", "check", "remove", "add"])
def test_a_model_that_is_none_is_refused(cli, command, tmp_path):
    (tmp_path / "broken.gguf").write_bytes(b"GGUF\x03")
    before = (cli.home / "config" / "settings.toml").read_text()
    for spec in (tmp_path / "broken.gguf", "nothing-there"):
        result = cli("models", command, spec)
        assert result.returncode == 1
        assert b"Traceback" not in result.stderr
    assert (cli.home / "config" / "settings.toml").read_text() == before


def test_check_says_all_and_loads(cli, tiny, tmp_path):
    checked = cli("models", "check", "--load", "--json")
    assert [(f["name"], f["ok"]) for f in json.loads(checked.stdout)] == [
        ("file", True),
        ("engine", True),
        ("chat", True),
        ("load", True),
        ("steering", True),
    ]
    (tmp_path / "broken.gguf").write_bytes(tiny.read_bytes()[:-1])
    broken = cli("models", "check", tmp_path / "broken.gguf", "--load")
    assert broken.returncode == 1
    assert b"FAIL  file" in broken.stdout
    assert b"truncated: 1 bytes missing" in broken.stdout


def test_models_of_other_programs_are_listed_and_used_in_place(cli, ours, other, monkeypatch):
    blob = ollama(Path.home() / ".ollama/models", other.read_bytes(), "registry.ollama.ai", "library", "tiny", "1b")
    studio = Path.home() / ".lmstudio/models/maker/repo/tiny.gguf"
    studio.parent.mkdir(parents=True)
    studio.write_bytes(other.read_bytes())
    (studio.parent / "mmproj.gguf").write_bytes(b"GGUF")
    found = {(model["name"], model["source"]) for model in json.loads(cli("models", "list", "--json").stdout)}
    assert {("tiny:1b", "Ollama"), ("maker/repo/tiny.gguf", "LM Studio")} <= found
    assert not any("mmproj" in name for name, _ in found)
    assert cli("models", "use", "tiny:1b").returncode == 0
    assert str(blob) in (cli.home / "config" / "settings.toml").read_text()
    assert cli("chat", "hello").returncode == 0
    assert "is not ours to delete" in one_line(cli("models", "remove", "tiny:1b", "--yes"))
    assert blob.is_file()


def test_broken_manifests_are_passed_over(monkeypatch, tmp_path):
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path))
    ollama(tmp_path, b"x", "hub.example", "me", "mine", "latest")
    folder = tmp_path / "manifests" / "registry.ollama.ai" / "library"
    for number, text in enumerate(
        ("", "[]", "{}", '{"layers": 3}', '{"layers": [{"mediaType": "m"}]}', "[" * 5000, "\x00",
         '{"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../x"}]}')
    ):  # fmt: skip
        (folder / str(number)).mkdir(parents=True)
        (folder / str(number) / "latest").write_text(text)
    assert [found.name for found in models_elsewhere()] == ["me/mine:latest"]


def test_recommend_and_cache(cli, ours):
    advice = json.loads(cli("models", "recommend", "--json").stdout)
    assert sum(one["recommended"] for one in advice) <= 1
    assert cli("chat", "hello").returncode == 0
    (cli.home / "cache" / "estimators" / "x").mkdir(parents=True)
    (cli.home / "cache" / "estimators" / "x" / "model.safetensors").write_bytes(b"0" * 2_000_000)
    shown = cli("cache", "show").stdout.decode()
    assert "2 MB  estimators" in shown
    assert "tunings" in shown or "log" in shown
    assert cli("cache", "clear", stdin="n\n").returncode == 130
    assert cli("cache", "clear", "--yes").stdout == b"2 MB freed\n"
    assert json.loads(cli("cache", "show", "--json").stdout) == []
    for command in ("show", "clear"):
        nothing = cli("cache", command)
        assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, b"", b"Nothing is cached.\n")
    (cli.home / "cache" / "tunings.json").write_text("{}")
    assert cli("cache", "clear", stdin="y\n").stderr.startswith(b"Delete < 1 MB?")
    assert json.loads(cli("history", "list", "--json").stdout), "the history is never touched"


def test_pull_shows_progress_stops_with_ctrl_c_and_goes_on(cli, ours, tmp_path, monkeypatch):
    content = write_tiny_model(tmp_path / "hub.gguf", width=128).read_bytes()
    hub = Hub({"model.gguf": content})
    server = serving(hub)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    go = threading.Event()
    hub.gate = lambda end: go.wait(20) if end >= 2**18 + 4096 else None
    with cli.start("models", "pull", f"{REPOSITORY}:model.gguf", bufsize=0) as process:
        seen = b""
        while b" 13%" not in seen:
            seen += process.stderr.read(1)
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate()
    go.set()
    assert process.returncode == 130
    assert f"go on with: assistant models pull {REPOSITORY}:model.gguf" in (seen + rest).decode()
    assert b"Traceback" not in rest
    listed = cli("models", "list").stdout.decode()
    assert f"model.gguf: unfinished download, < 1 MB so far; pull {REPOSITORY}:model.gguf again to go on" in listed
    done = cli("models", "pull", REPOSITORY)
    assert (done.returncode, done.stdout) == (0, b"model.gguf: downloaded and verified\n")
    assert b"100%" in done.stderr
    assert hub.downloads[-1] == f"bytes={2**18}-"
    assert (ours / "model.gguf").read_bytes() == content
    assert cli("models", "pull", REPOSITORY).stdout == b"model.gguf is there already\n"
    server.shutdown()
    server.server_close()


def test_offline_is_one_line(cli, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "you may be offline" in one_line(cli("models", "pull", "qwen2.5-0.5b"))
    assert "or one of qwen2.5-0.5b" in one_line(cli("models", "pull", "nothing"))
