"""Many replies: killed at random points, hundreds in a row, two apps at once. Storage and the kernel tell."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
import sys
from contextlib import aclosing, suppress
from pathlib import Path

import psutil

from assistant.app import Assistant
from assistant.conversation.chat import ReplyOptions
from assistant.engine.protocol import Sampling
from assistant.errors import EngineError
from assistant.models.bundled import bundled_model
from assistant.records import MessageState, Piece
from tests.assistant.conftest import ROOT, command_environment, prepare_home, query
from tests.assistant.made import add_profile, vector_bytes

SHORT = Sampling(temperature=0, max_tokens=40)
UNSTEERED = ReplyOptions(strength=0.0)
WORDS = ("hello", "you", "and", "the user", "in", "the other", "silly")


async def test_fifty_replies_with_kills_at_random_points_lose_nothing(tmp_path):
    """After each: what the person said, and all that was streamed, is in storage; and the conversation goes on."""
    home = prepare_home(tmp_path / "home", bundled_model(), context=512)
    assistant = Assistant.open(home)
    try:
        await fifty_replies(assistant, home)
    finally:
        await assistant.close()


async def fifty_replies(assistant: Assistant, home: Path) -> None:
    chance, loss = random.Random(11), []
    conversation = assistant.chat.new_conversation()
    expected: list[tuple[str, str, str]] = []
    killed_before = False
    for turn in range(50):
        text, streamed, events, replying = f"{turn} {' '.join(chance.sample(WORDS, 3))}", "", 0, False
        fatal, killed = chance.randrange(1, 10), False
        try:
            async with aclosing(assistant.chat.send(conversation.id, text, ReplyOptions(sampling=SHORT))) as stream:
                async for event in stream:
                    events += 1
                    replying = replying or events > 1
                    streamed += event.text if isinstance(event, Piece) else ""
                    if events == fatal and (pid := assistant.chat._engine.pid):
                        with suppress(ProcessLookupError):  # killed at the end of the reply before, not yet noticed
                            os.kill(pid, signal.SIGKILL)
                            killed = True
            state = "complete"
        except EngineError as error:
            assert killed or killed_before  # at the very end of a reply the next one is the first to notice
            assert "killed by signal 9" in str(error)
            state = "failed"
        loss.append(state)
        killed_before = killed
        expected.append(("user", text, "complete"))
        if replying:
            expected.append(("assistant", streamed, state))
        rows = query(home, "SELECT role, text, state FROM messages ORDER BY id")
        assert rows == expected
    assert loss.count("failed") >= 20
    failed = next(
        m for m in reversed(assistant.chat.messages(conversation.id)) if m.state is MessageState.FAILED and m.text
    )
    async with aclosing(assistant.chat.continue_reply(failed.id)) as stream:
        resumed = [event async for event in stream][-1].message
    assert resumed.text.startswith(failed.text)
    assert len(resumed.text) > len(failed.text)
    async with aclosing(assistant.chat.send(conversation.id, "and the end")) as stream:
        assert [event async for event in stream][-1].message.state is MessageState.COMPLETE


def counters(pid: int) -> dict[str, int]:
    process = psutil.Process(pid)
    return {"rss": process.memory_info().rss, "threads": process.num_threads(), "files": process.num_fds()}


async def soak(assistant: Assistant, turns: int, early: int) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
    """Counters of the app and of the engine after `early` turns and after all, in three conversations in turn."""
    conversations = [assistant.chat.new_conversation().id for _ in range(3)]
    seen: list[list[dict[str, int]]] = []
    for turn in range(1, turns + 1):
        conversation = conversations[turn % 3]
        options = UNSTEERED if turn // 7 % 2 else ReplyOptions()
        if turn % 40 == 0:
            stream = assistant.chat.compare(conversation, f"{turn} hello you")
        else:
            stream = assistant.chat.send(conversation, f"{turn} hello you", options)
        async with aclosing(stream) as events:
            async for _ in events:
                pass
        if turn in (early, turns):
            gc.collect()
            seen.append([counters(os.getpid()), counters(assistant.chat._engine.pid)])
    return [one[0] for one in seen], [one[1] for one in seen]


async def test_five_hundred_turns_leave_no_memory_threads_or_files_behind(tmp_path, tiny):
    home = prepare_home(tmp_path / "home", tiny, length=8, context=512)  # full long before the first look
    opened = Assistant.open(home)
    version = add_profile(opened, vector_bytes(tmp_path)).version
    opened.profiles.use(version)
    try:
        app, engine = await soak(opened, 500, 100)
    finally:
        await opened.close()
    for early, late in (app, engine):
        assert late["rss"] - early["rss"] < 4 * 2**20
        assert late["threads"] <= early["threads"]
        assert late["files"] <= early["files"]
    assert query(home, "SELECT count(*) FROM messages WHERE role = 'user'") == [(500,)]
    assert query(home, "SELECT DISTINCT state FROM messages") == [("complete",)]


APP = """
import asyncio, sys
from pathlib import Path
from contextlib import aclosing, suppress
from assistant.app import Assistant

async def main(home, name, turns):
    assistant = Assistant.open(Path(home))
    conversation = assistant.chat.new_conversation()
    await assistant.chat.start()
    print("ready", flush=True)
    sys.stdin.readline()
    for turn in range(turns):
        async with aclosing(assistant.chat.send(conversation.id, f"{name} {turn}")) as events:
            async for event in events:
                pass
        assert event.message.state == "complete", event
    await assistant.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


async def test_two_apps_at_once_on_one_home_lose_nothing(home):
    turns = 25
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    apps = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", APP, str(home), name, str(turns)), env=command_environment(), cwd=ROOT, **pipes
        )
        for name in ("one", "other")
    ]
    assert [await app.stdout.readline() for app in apps] == [b"ready\n"] * 2
    ends = await asyncio.gather(*(app.communicate(b"go\n") for app in apps))
    assert [(app.returncode, said[1]) for app, said in zip(apps, ends, strict=True)] == [(0, b"")] * 2
    rows = query(home, "SELECT conversation_id, role, text, state FROM messages ORDER BY id")
    assert len(rows) == 2 * 2 * turns
    for name in ("one", "other"):
        (conversation,) = {row[0] for row in rows if row[2] == f"{name} 0"}
        own = [row[1:] for row in rows if row[0] == conversation]
        assert [text for role, text, _ in own if role == "user"] == [f"{name} {turn}" for turn in range(turns)]
        assert [role for role, *_ in own] == ["user", "assistant"] * turns
        assert {state for *_, state in own} == {"complete"}
