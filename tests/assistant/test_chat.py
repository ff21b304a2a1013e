"""What is said is in storage before and while it is generated, whatever ends it."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import aclosing
from dataclasses import replace

import pytest

from assistant.app import Assistant
from assistant.conversation.answering import ReplyOptions, ReplyStarted
from assistant.conversation.chat import UserMessage
from assistant.conversation.reply import ReplyFinished
from assistant.engine.protocol import Sampling
from assistant.errors import AssistantError, EngineError, ModelError
from assistant.records import MessageState, Piece
from tests.assistant.conftest import prepare_home, query

GREEDY = Sampling(temperature=0, max_tokens=12)
ENDLESS = ReplyOptions(sampling=replace(GREEDY, max_tokens=100_000))
STATES = "SELECT role, text, state FROM messages ORDER BY id"


async def collect(events) -> list:
    async with aclosing(events) as stream:
        return [event async for event in stream]


async def say(assistant: Assistant, conversation_id: int, text: str):
    """Send and return the stored reply."""
    return (await collect(assistant.chat.send(conversation_id, text)))[-1].message


async def stop_at_first_piece(assistant: Assistant, conversation_id: int, text: str = "hello you"):
    finished = None
    async with aclosing(assistant.chat.send(conversation_id, text, ENDLESS)) as events:
        async for event in events:
            if isinstance(event, Piece):
                await assistant.chat.stop()
            finished = event
    assert isinstance(finished, ReplyFinished)
    return finished.message


async def test_message_is_committed_before_the_reply_and_the_reply_streams_into_storage(assistant, home):
    conversation = assistant.chat.new_conversation()
    kinds, text, grew = [], "", []
    async with aclosing(assistant.chat.send(conversation.id, "hello you", ENDLESS)) as events:
        async for event in events:
            kinds.append(type(event))
            if isinstance(event, ReplyStarted):
                assert query(home, STATES) == [("user", "hello you", "complete"), ("assistant", "", "streaming")]
            if isinstance(event, Piece):
                text += event.text
                stored = query(home, STATES)[1][1]
                assert text.startswith(stored)
                if len(stored) > len(grew[-1] if grew else ""):
                    grew.append(stored)
                if len(grew) > 2:
                    await assistant.chat.stop()
    assert kinds[:2] == [UserMessage, ReplyStarted]
    assert kinds[-1] is ReplyFinished
    assert len(grew) > 2
    assert query(home, STATES)[1] == ("assistant", text, "stopped")


async def test_whole_reply_is_complete_with_its_figures(assistant, tiny):
    conversation = assistant.chat.new_conversation()
    events = await collect(assistant.chat.send(conversation.id, "hello you"))
    finished = events[-1]
    assert finished.message.text == "".join(event.text for event in events if isinstance(event, Piece))
    assert finished.message.state is MessageState.COMPLETE
    assert finished.message.stats["reply_tokens"] == finished.stats.reply_tokens == 12
    assert (finished.message.model, finished.message.profile_version) == (tiny.name, None)
    assert assistant.chat.messages(conversation.id)[-1] == finished.message


async def test_stop_keeps_what_came_and_the_next_message_works(assistant):
    conversation = assistant.chat.new_conversation()
    stopped = await stop_at_first_piece(assistant, conversation.id)
    assert stopped.state is MessageState.STOPPED
    assert stopped.text
    assert (await say(assistant, conversation.id, "and the other")).state is MessageState.COMPLETE
    assert [message.role for message in assistant.chat.messages(conversation.id)] == ["user", "assistant"] * 2


async def test_engine_killed_while_it_replies(assistant):
    conversation = assistant.chat.new_conversation()
    seen = ""
    with pytest.raises(EngineError, match="killed by signal 9"):
        async with aclosing(assistant.chat.send(conversation.id, "hello you", ENDLESS)) as events:
            async for event in events:
                if isinstance(event, Piece):
                    seen += event.text
                    os.kill(assistant.chat._engine.pid or 0, signal.SIGKILL) if len(seen) > 20 else None
    said, failed = assistant.chat.messages(conversation.id)
    assert (said.text, failed.state) == ("hello you", MessageState.FAILED)
    assert failed.text == seen
    assert (await say(assistant, conversation.id, "once more")).state is MessageState.COMPLETE


@pytest.mark.parametrize("last", [UserMessage, ReplyStarted, Piece])
async def test_leaving_the_iterator_anywhere_leaves_nothing_streaming(assistant, home, last):
    conversation = assistant.chat.new_conversation()
    async with aclosing(assistant.chat.send(conversation.id, "hello you", ENDLESS)) as events:
        async for event in events:
            if isinstance(event, last):
                break
    states = [state for *_, state in query(home, STATES)]
    assert states == (["complete"] if last is UserMessage else ["complete", "stopped"])
    assert (await say(assistant, conversation.id, "once more")).state is MessageState.COMPLETE


async def test_cancelled_task_keeps_what_came(assistant, home):
    conversation = assistant.chat.new_conversation()
    begun = asyncio.Event()

    async def read() -> None:
        async with aclosing(assistant.chat.send(conversation.id, "hello you", ENDLESS)) as events:
            async for event in events:
                if isinstance(event, Piece):
                    begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, (role, text, state) = query(home, STATES)
    assert (role, state, bool(text)) == ("assistant", "stopped", True)


async def test_two_assistants_on_one_home(assistant, home):
    mine, theirs = assistant.chat.new_conversation(), assistant.chat.new_conversation()
    other = None
    try:
        async with aclosing(assistant.chat.send(mine.id, "hello you", ENDLESS)) as events:
            async for event in events:
                if isinstance(event, Piece) and other is None:
                    other = Assistant.open(home)
                    assert query(home, STATES)[1][2] == "streaming", "a reply that streams elsewhere is none of ours"
                    await say(other, theirs.id, "and the other")
                    await assistant.chat.stop()
        assert assistant.chat.messages(mine.id) == other.chat.messages(mine.id)
        assert assistant.chat.messages(theirs.id) == other.chat.messages(theirs.id)
        assert len(assistant.chat.messages(theirs.id)) == 2
    finally:
        if other:
            await other.close()


async def test_deleted_while_it_streams(assistant, home):
    conversation = assistant.chat.new_conversation()
    with pytest.raises(AssistantError, match="deleted"):
        async with aclosing(assistant.chat.send(conversation.id, "hello you", ENDLESS)) as events:
            async for event in events:
                if isinstance(event, Piece) and assistant.chat.conversations():
                    assistant.chat.delete(conversation.id)
    assert query(home, STATES) == []
    again = assistant.chat.new_conversation()
    assert (await say(assistant, again.id, "hello")).state is MessageState.COMPLETE


async def test_full_disk_in_mid_reply_is_said_in_words_and_the_message_stays(assistant, home):
    conversation = assistant.chat.new_conversation()
    said = "hello you " * 350  # nearly a page of the database: the reply needs another one
    with pytest.raises(AssistantError, match="no space is left on the disk"):
        async with aclosing(assistant.chat.send(conversation.id, said, ENDLESS)) as events:
            async for event in events:
                if isinstance(event, ReplyStarted):
                    limit_pages(assistant, 0)
    limit_pages(assistant, 1000)
    assert query(home, STATES)[0] == ("user", said, "complete")
    other = assistant.chat.new_conversation()
    assert (await say(assistant, other.id, "once more")).state is MessageState.COMPLETE


def limit_pages(assistant: Assistant, more: int) -> None:
    """What a full disk does to SQLite: the file may grow by `more` pages."""
    pages = assistant.store._db.rows("PRAGMA page_count")[0]["page_count"]
    assistant.store._db.rows(f"PRAGMA max_page_count = {pages + more}")


async def test_no_model_keeps_the_message_and_says_so(tmp_path):
    home = prepare_home(tmp_path / "home", tmp_path / "gone.gguf")
    assistant = Assistant.open(home)
    conversation = assistant.chat.new_conversation()
    with pytest.raises(ModelError, match=r"gone\.gguf"):
        await say(assistant, conversation.id, "hello you")
    assert [m.text for m in assistant.chat.messages(conversation.id)] == ["hello you"]
    await assistant.close()


async def test_changed_model_setting_is_obeyed_by_the_next_message(assistant):
    conversation = assistant.chat.new_conversation()
    await say(assistant, conversation.id, "hello")
    assistant.change_setting("model", "context_tokens", 512)
    assert (await say(assistant, conversation.id, "hello")).stats["context_tokens"] == 512


async def test_system_prompt_of_the_settings_and_of_one_message(assistant):
    first, second, third = (assistant.chat.new_conversation() for _ in range(3))
    plain = await say(assistant, first.id, "hello")
    assistant.change_setting("model", "system_prompt", "you and the user")
    prompted = await say(assistant, second.id, "hello")
    assert prompted.stats["prompt_tokens"] > plain.stats["prompt_tokens"]
    events = await collect(assistant.chat.send(third.id, "hello", ReplyOptions(system="", sampling=GREEDY)))
    assert events[-1].message.stats["prompt_tokens"] == plain.stats["prompt_tokens"]
