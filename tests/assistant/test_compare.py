"""Two replies to one message: both kept, each as it would be alone, and one of them preferred."""

from __future__ import annotations

import json
from contextlib import aclosing

import pytest

from assistant.conversation.answering import ReplyOptions, ReplyStarted
from assistant.conversation.chat import UserMessage
from assistant.conversation.reply import ReplyFinished
from assistant.errors import AssistantError, ModelError
from assistant.records import MessageState, Piece, Source
from tests.assistant.conftest import one_line, prepare_home
from tests.assistant.made import add_profile, vector_bytes
from tests.assistant.test_chat import collect
from tests.tiny_models import write_tiny_model


@pytest.fixture
def steered(assistant, tmp_path):
    return assistant.profiles.use(add_profile(assistant, vector_bytes(tmp_path)).version)


async def compared(assistant, conversation_id: int, text: str = "hello you", **options):
    """Texts as they streamed and the replies as stored, side 0 first."""
    texts, replies, first = ["", ""], {}, []
    for event in await collect(assistant.chat.compare(conversation_id, text, **options)):
        match event:
            case Piece():
                texts[event.side] += event.text
            case ReplyFinished():
                replies[event.stats.side] = event.message
            case _:
                first.append(type(event))
    return texts, [replies[0], replies[1]], first


async def alone(assistant, strength: float | None) -> str:
    options = ReplyOptions(strength=strength)
    conversation = assistant.chat.new_conversation()
    return (await collect(assistant.chat.send(conversation.id, "hello you", options)))[-1].message.text


async def test_both_stream_as_they_would_alone_and_are_kept(assistant, steered):
    conversation = assistant.chat.new_conversation()
    texts, replies, first = await compared(assistant, conversation.id)
    assert first == [UserMessage, ReplyStarted, ReplyStarted]
    assert texts == [reply.text for reply in replies] == [await alone(assistant, None), await alone(assistant, 0.0)]
    assert texts[0] != texts[1]
    assert [reply.profile_version for reply in replies] == [steered.version, None]
    assert [reply.state for reply in replies] == [MessageState.COMPLETE] * 2
    shown = assistant.chat.messages(conversation.id)
    assert [message.id for message in shown] == [replies[0].parent_id, replies[0].id]
    assert shown[-1].sibling_count == 2


async def test_the_preferred_one_is_shown_and_learned_from(assistant, steered):
    conversation = assistant.chat.new_conversation()
    _, (one, other), _ = await compared(assistant, conversation.id)
    assert assistant.chat.prefer(other.id).rating == 1
    assert assistant.chat.messages(conversation.id)[-1].id == other.id
    (item,) = [found.item for found in assistant.preferences.items() if found.item.source is Source.CHOSEN]
    assert (item.text, item.negative) == (other.text, one.text)


async def test_nothing_is_stored_where_both_would_be_the_same(assistant):
    conversation = assistant.chat.new_conversation()
    with pytest.raises(AssistantError, match="nothing steers \\(no profile yet\\)"):
        await compared(assistant, conversation.id)
    with pytest.raises(ModelError, match="no such model"):
        await compared(assistant, conversation.id, other_model="none.gguf")
    assert assistant.chat.messages(conversation.id) == []


async def test_stopped_both_are_kept_and_can_go_on(assistant, steered, monkeypatch):
    assistant.change_sampling("max_tokens", 100_000)
    conversation = assistant.chat.new_conversation()
    finished = []
    async with aclosing(assistant.chat.compare(conversation.id, "hello you")) as events:
        async for event in events:
            if isinstance(event, Piece) and event.side == 1:
                await assistant.chat.stop()
            elif isinstance(event, ReplyFinished):
                finished.append(event.message)
    assert [message.state for message in finished] == [MessageState.STOPPED] * 2
    assistant.change_sampling("max_tokens", 5)
    longer = (await collect(assistant.chat.continue_reply(finished[0].id)))[-1].message
    assert longer.text.startswith(finished[0].text)


async def test_another_model_answers_in_an_engine_of_its_own_that_ends(assistant, tmp_path):
    other = write_tiny_model(tmp_path / "other.gguf", seed=7)
    conversation = assistant.chat.new_conversation()
    texts, replies, first = await compared(assistant, conversation.id, other_model=str(other))
    assert first == [UserMessage, ReplyStarted, ReplyStarted]
    assert [reply.model for reply in replies] == [assistant.model.path().name, "other.gguf"]
    assert texts == [reply.text for reply in replies]
    assert texts[0] != texts[1]
    assert texts[0] == await alone(assistant, None)


def test_the_command_prints_both(cli, home, tiny, tmp_path):
    other = write_tiny_model(tmp_path / "other.gguf", seed=7)
    result = cli("compare", "hello you", "--with", other, "--json")
    assert result.returncode == 0, result.stderr
    printed = json.loads(result.stdout)
    assert [reply["model"] for reply in printed["replies"]] == [tiny.name, "other.gguf"]
    lines = cli("compare", "hello you", "--with", other).stdout.decode()
    assert f"── {tiny.name}, not steered" in lines
    failed = cli("compare", "hello you")
    assert failed.returncode == 1
    assert "nothing steers" in one_line(failed)
    assert len(json.loads(cli("history", "list", "--json").stdout)) == 2


@pytest.mark.bundled
async def test_titles_come_from_the_model_or_stay(tmp_path):
    from assistant.app import Assistant

    assistant = Assistant.open(prepare_home(tmp_path / "home", ""))
    conversation = assistant.chat.new_conversation()
    await collect(assistant.chat.send(conversation.id, "Name three colours."))
    new = await assistant.chat.suggest_title(conversation.id)
    title = next(one.title for one in assistant.chat.conversations() if one.id == conversation.id)
    assert (title != "Name three colours.") == new
    assistant.chat.rename(conversation.id, "mine")
    assert not await assistant.chat.suggest_title(conversation.id)
    assert assistant.chat.conversations()[0].title == "mine"
    await assistant.close()
