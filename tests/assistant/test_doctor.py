"""What `assistant doctor` finds out, above all whether what learns is what chats."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import numpy as np
import pytest

from assistant.doctor import examine
from assistant.models.bundled import bundled_model
from assistant.models.fingerprint import fingerprint
from tests.assistant.conftest import CommandLine, children, prepare_home, wait_gone
from tests.assistant.made import add_profile, vector_bytes
from tests.tiny_models import write_tiny_model, write_vector

CHECKS = ["home", "history", "items", "model", "engine", "speed", "steering", "profile", "vectors", "rebuild", "parity"]
ENGINE_AND_COMPARISON = 2
SAME_WEIGHTS = 0.02
"""Nats; DESIGN measured 0.001 to 0.009 between a quantized model and its dequantized weights."""


def checks(cli: CommandLine, *arguments: str | Path) -> dict[str, tuple[bool, str]]:
    result = cli(*arguments, "doctor", "--json")
    found = {check["name"]: (check["ok"], check["detail"]) for check in json.loads(result.stdout)}
    assert result.returncode == (0 if all(ok for ok, _ in found.values()) else 1)
    return found


def estimators(home: Path) -> Path:
    return home / "cache" / "estimators"


def kl_of(detail: str) -> float:
    return float(re.search(r"KL (\d\.\d{4}) nats", detail)[1])


def test_a_healthy_home(cli):
    found = checks(cli)
    assert list(found) == CHECKS
    assert all(ok for ok, _ in found.values())
    assert found["profile"][1] == "replies are not steered: no profile yet"
    assert found["vectors"][1] == "none imported"
    assert kl_of(found["parity"][1]) < SAME_WEIGHTS
    assert "100% of the tokens cut alike" in found["parity"][1]


async def test_what_steers_is_told_with_what_does_not(cli, assistant, tmp_path):
    assistant.profiles.use(add_profile(assistant, vector_bytes(tmp_path)).version)
    for name, width in (("calm", 64), ("wide", 65), ("still", 64)):
        assistant.vectors.add(write_vector(tmp_path / f"{name}.gguf", {1: np.ones(width)}), strength=0.5)
    assistant.vectors.set_enabled("still", False)
    found = checks(cli)
    assert found["profile"] == (True, "steered v1 × 1.0 + calm × 0.5")
    misfit = "wide is off: made for width 65, this model has 64"
    assert found["vectors"] == (True, f"calm steers; {misfit}; still is off: switched off")


@pytest.mark.parametrize("other", [{"seed": 1}, {"blocks": 4}], ids=["other weights", "other shape"])
def test_weights_that_are_not_the_chat_models_are_found_out(cli, tiny, tmp_path, other):
    """Another model's converted weights lie where this one's are expected."""
    foreign = write_tiny_model(tmp_path / "other.gguf", **other)
    assert checks(cli, "--model", foreign)["parity"][0]
    folder = estimators(cli.home)
    (folder / fingerprint(foreign)).rename(folder / fingerprint(tiny))
    ok, detail = checks(cli)["parity"]
    assert not ok
    assert detail.startswith("these are different models: ")
    assert detail.endswith("choose the chat model's own weights")


def test_weights_that_cannot_be_loaded_are_said(cli, tiny):
    folder = estimators(cli.home) / fingerprint(tiny)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("no configuration")
    ok, detail = checks(cli)["parity"]
    assert not ok
    assert str(folder) in detail
    assert "cannot be loaded" in detail


def test_without_an_engine_nothing_is_compared(cli, tmp_path):
    (tmp_path / "broken.gguf").write_text("no model")
    found = checks(cli, "--model", tmp_path / "broken.gguf")
    assert [name for name, (ok, _) in found.items() if not ok] == ["model", "engine"]
    assert "parity" not in found
    assert not estimators(cli.home).exists()


async def test_without_torch_nothing_is_compared(home, monkeypatch):
    monkeypatch.setattr("assistant.doctor.REBUILD_NEEDS", ("torch", "a-package-that-is-not-installed"))
    found = await examine(home, None, lambda _: None)
    assert [(one.name, one.ok) for one in found][-2:] == [("vectors", True), ("rebuild", False)]
    assert "a-package-that-is-not-installed is not installed" in found[-1].detail


def test_an_interrupted_comparison_ends_its_process(cli):
    with cli.start("doctor") as process:
        while len(running := children(process.pid)) < ENGINE_AND_COMPARISON and process.poll() is None:
            pass
        process.send_signal(signal.SIGINT)
        printed, said = process.communicate()
    for child in running:
        wait_gone(child)
    assert len(running) == ENGINE_AND_COMPARISON
    assert (process.returncode, printed) == (130, b"")
    assert b"Traceback" not in said


@pytest.mark.bundled
def test_the_bundled_model_learns_with_what_chats(tmp_path):
    cli = CommandLine(prepare_home(tmp_path / "home", bundled_model()))
    found = checks(cli)
    assert [name for name, (ok, _) in found.items() if not ok] == []
    assert 0 < kl_of(found["parity"][1]) < SAME_WEIGHTS


def test_what_learns_is_what_the_settings_name(tmp_path, tiny):
    home = prepare_home(tmp_path / "home", tiny)
    with (home / "config" / "settings.toml").open("a", encoding="utf-8") as file:
        file.write('\n[preferences]\nestimator = "llama.cpp"\n')
    ok, words = checks(CommandLine(home))["parity"]
    assert ok
    assert "inside llama.cpp" in words
    assert "as the settings have it" in words
