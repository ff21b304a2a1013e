"""Another model in the middle of a conversation: it goes on, and the memory of the old one is given back."""

from __future__ import annotations

import os

import psutil

from assistant.app import Assistant
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


async def test_a_model_named_at_the_start_answers_until_another_is_chosen(home, tiny, tmp_path):
    other = write_tiny_model(tmp_path / "other.gguf", seed=1)
    assistant = Assistant.open(home, str(tiny))
    assert assistant.model.path() == tiny
    assistant.models.use(str(other))
    assert assistant.model.path() == other
    await assistant.close()


async def test_the_chosen_model_stays_chosen_where_the_one_named_at_the_start_is_removed(home, tiny, tmp_path):
    assistant = Assistant.open(home)
    chosen, named = (assistant.models.add(write_tiny_model(tmp_path / name)) for name in ("one.gguf", "two.gguf"))
    assistant.models.use("one.gguf")
    await assistant.close()
    assistant = Assistant.open(home, "two.gguf")
    assistant.models.remove(assistant.models.removal("two.gguf"))
    assert assistant.model.path() == chosen.resolve() and not named.exists()
    await assistant.close()
    assistant = Assistant.open(home)
    assistant.models.remove(assistant.models.removal("one.gguf"))
    assert assistant.settings.model.path == ""
    await assistant.close()
