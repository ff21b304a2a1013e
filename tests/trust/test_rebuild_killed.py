"""The rebuild is killed in each of its stages: words, nothing half done, and the next one goes on to its end."""

from __future__ import annotations

import os
import signal
from contextlib import aclosing
from pathlib import Path

import pytest

from assistant.app import Assistant
from assistant.errors import RebuildError
from assistant.rebuild.runner import Progress, Rebuilt
from assistant.records import STAGES
from storage.automatic import is_whole
from tests.assistant.conftest import prepare_home, query
from tests.assistant.test_rebuild import TEXTS
from tests.tiny_models import write_tiny_model


async def test_in_every_stage(tmp_path: Path):
    home = prepare_home(tmp_path / "home", write_tiny_model(tmp_path / "tiny.gguf"))
    assistant = Assistant.open(home)
    for prompt, text in TEXTS:
        assistant.preferences.add_text(text, prompt)
    for stage in STAGES:
        with pytest.raises(RebuildError, match="killed by signal 9"):
            await rebuild(assistant, stage)
        assert query(home, "SELECT count(*) FROM profiles") == [(0,)]
        assert not assistant.rebuild.running
        assert not list((home / "cache" / "estimators").glob("*.new")) or stage == STAGES[0] or stage == "effects"
    assert await rebuild(assistant, None)
    assert query(home, "SELECT count(*) FROM profiles") == [(1,)]
    await assistant.close()
    await Assistant.open(home).close()
    assert [path for path in home.rglob("*") if path.suffix in (".new", ".partial")] == []
    assert is_whole(home / "data" / "history.db")


async def rebuild(assistant: Assistant, killed_in: str | None) -> bool:
    """Whether a profile came of it; the child is killed as soon as a stage begins."""
    async with aclosing(assistant.rebuild.run()) as events:
        async for event in events:
            if isinstance(event, Progress) and event.stage == killed_in:
                child = assistant.rebuild._child
                assert child is not None
                os.kill(child.pid, signal.SIGKILL)
            if isinstance(event, Rebuilt):
                return True
    return False
