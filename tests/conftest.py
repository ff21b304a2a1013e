"""No test ever sees the real user's folders, network or models."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

# A shell ignores SIGINT for what it runs in the background, and children inherit that: the tests' programs must not.
signal.signal(signal.SIGINT, signal.default_int_handler)

OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
FOLDERS = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")


def isolate(patch: pytest.MonkeyPatch, home: Path) -> None:
    """A home of its own, nothing chosen by the environment, no Hugging Face traffic."""
    home.mkdir(exist_ok=True)
    patch.setenv("HOME", str(home))
    patch.setenv("HF_HOME", str(home / "huggingface"))
    for name in (*FOLDERS, "ASSISTANT_HOME"):
        patch.delenv(name, raising=False)
    for name, value in OFFLINE.items():
        patch.setenv(name, value)


@pytest.fixture(scope="session", autouse=True)
def isolated_session(tmp_path_factory):
    """What fixtures of a wider scope than one test see."""
    with pytest.MonkeyPatch.context() as patch:
        isolate(patch, tmp_path_factory.mktemp("session") / "user")
        yield


@pytest.fixture(autouse=True)
def isolated(tmp_path_factory, monkeypatch):
    """A home and a working folder for each test."""
    folder = tmp_path_factory.mktemp("isolated")
    isolate(monkeypatch, folder / "user")
    monkeypatch.chdir(folder)
