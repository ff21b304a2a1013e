"""The clock jumps: back by a year (an empty battery), ahead by ten; order, backups and temporary files bear it."""

from __future__ import annotations

import os
import time
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from assistant.app import Assistant
from assistant.conversation.reply import ReplyFinished
from assistant.scratch import remove_abandoned
from storage.automatic import back_up_daily, backups
from tests.assistant.conftest import prepare_home
from tests.tiny_models import write_tiny_model

JUMPS = (timedelta(days=-365), timedelta(days=3650), timedelta(0), timedelta(days=-10_000))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return prepare_home(tmp_path / "home", write_tiny_model(tmp_path / "tiny.gguf"), length=3)


async def test_a_conversation_keeps_its_order_and_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch):
    for number, jump in enumerate(JUMPS):
        moment = datetime.now(UTC) + jump
        for module in ("conversations", "messages", "transfer", "writing", "feedback"):
            monkeypatch.setattr(f"storage.{module}.now", lambda moment=moment: moment, raising=False)
        assistant = Assistant.open(home)
        talks = assistant.chat.conversations()
        talk = talks[0] if talks else assistant.chat.new_conversation()
        async with aclosing(assistant.chat.send(talk.id, f"said {number}")) as events:
            [finished] = [event async for event in events if isinstance(event, ReplyFinished)]
        assert finished.stats is None or finished.stats.seconds >= 0
        await assistant.close()
    assistant = Assistant.open(home)
    shown = assistant.chat.messages(talk.id)
    assert [message.text for message in shown if message.role == "user"] == [f"said {n}" for n in range(len(JUMPS))]
    assert [message.role for message in shown] == ["user", "assistant"] * len(JUMPS)
    await assistant.close()


async def test_daily_backups_of_a_day_to_come_keep_no_other_day_from_its_own(home: Path):
    await Assistant.open(home).close()
    database = home / "data" / "history.db"
    today = date(2026, 5, 5)
    for day in (today + timedelta(days=900), today, today - timedelta(days=900), today + timedelta(days=1)):
        assert back_up_daily(database, day) is not None
        assert back_up_daily(database, day) is None
    assert len([path for path in backups(database) if ".daily-" in path.name]) == 4


def test_drafts_of_a_time_to_come_are_left_alone_and_old_ones_go(home: Path):
    assistant = Assistant.open(home)
    folder = assistant.paths.profiles
    old, coming = folder / "version-1.new", folder / "version-2.new"
    for path, seconds in ((old, -1e8), (coming, 1e8)):
        path.write_text("x")
        os.utime(path, (time.time() + seconds,) * 2)
    remove_abandoned(assistant.paths)
    assert (old.exists(), coming.exists()) == (False, True)
    assistant.store.close()
