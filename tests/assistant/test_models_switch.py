"""Another model in the middle of a conversation: it goes on, and the memory of the old one is given back."""

from __future__ import annotations

import os

import psutil

from tests.assistant.conftest import children
from tests.assistant.test_chat import say
from tests.tiny_models import write_tiny_model

MEGABYTES_100 = 100_000_000


async def test_the_conversation_goes_on_and_memory_is_given_back(assistant, tmp_path, tiny):
    large = write_tiny_model(tmp_path / "large.gguf", blocks=4, width=1024)
    assert large.stat().st_size > MEGABYTES_100
    assistant.models.use(str(large))
    conversation = assistant.chat.new_conversation().id
    assert (await say(assistant, conversation, "hello you")).text
    (engine,) = children(os.getpid())
    before = psutil.Process(engine).memory_info().rss
    assert before > MEGABYTES_100
    assistant.models.use(str(tiny))
    assert (await say(assistant, conversation, "and the user")).text
    (engine,) = children(os.getpid())
    assert psutil.Process(engine).memory_info().rss < before - MEGABYTES_100
    assert [message.role for message in assistant.chat.messages(conversation)] == ["user", "assistant"] * 2
