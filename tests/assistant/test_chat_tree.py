"""Branches, edits, ratings, titles: nothing that was said is ever overwritten."""

from __future__ import annotations

import pytest

from assistant.errors import AssistantError
from assistant.records import MessageState, Origin
from tests.assistant.conftest import query
from tests.assistant.test_chat import collect, say, stop_at_first_piece


def texts(assistant, conversation_id) -> list[str]:
    return [message.text for message in assistant.chat.messages(conversation_id)]


async def test_regenerated_reply_stands_beside_the_old_one(assistant):
    conversation = assistant.chat.new_conversation()
    old = await say(assistant, conversation.id, "hello you")
    assistant.change_setting("sampling", "max_tokens", 5)
    new = (await collect(assistant.chat.regenerate(old.id)))[-1].message
    assert new.parent_id == old.parent_id
    assert (new.sibling_index, new.sibling_count) == (1, 2)
    assert texts(assistant, conversation.id) == ["hello you", new.text]
    assistant.chat.switch_branch(new.id, -1)
    assert texts(assistant, conversation.id) == ["hello you", old.text]
    for beyond in (-1, 5):
        assistant.chat.switch_branch(old.id, beyond)
        assert texts(assistant, conversation.id) == ["hello you", old.text]


async def test_edited_own_message_branches_with_a_reply_of_its_own(assistant):
    conversation = assistant.chat.new_conversation()
    await say(assistant, conversation.id, "hello you")
    await say(assistant, conversation.id, "and then")
    whole = texts(assistant, conversation.id)
    first = assistant.chat.messages(conversation.id)[0]
    edited = await collect(assistant.chat.edit_own(first.id, "hello user"))
    assert texts(assistant, conversation.id) == ["hello user", edited[-1].message.text]
    shown = assistant.chat.messages(conversation.id)[0]
    assistant.chat.switch_branch(shown.id, -1)
    assert texts(assistant, conversation.id) == whole


async def test_edited_reply_is_the_persons_and_an_edit_of_it_corrects_the_model(assistant):
    conversation = assistant.chat.new_conversation()
    reply = await say(assistant, conversation.id, "hello you")
    edited = assistant.chat.edit_reply(reply.id, "Hello, you three.")
    assert (edited.origin, edited.edited_from, edited.state) == (Origin.EDITED, reply.id, MessageState.COMPLETE)
    assert texts(assistant, conversation.id) == ["hello you", "Hello, you three."]
    again = assistant.chat.edit_reply(edited.id, "Hello, you two.")
    assert again.edited_from == reply.id
    assert (await say(assistant, conversation.id, "and?")).stats["dropped_turns"] == 0


async def test_stopped_reply_goes_on_in_the_same_message(assistant):
    conversation = assistant.chat.new_conversation()
    stopped = await stop_at_first_piece(assistant, conversation.id)
    assistant.change_setting("sampling", "max_tokens", 6)
    events = await collect(assistant.chat.continue_reply(stopped.id))
    finished = events[-1].message
    assert finished.id == stopped.id
    assert finished.text.startswith(stopped.text)
    assert len(finished.text) > len(stopped.text)
    assert finished.state is MessageState.COMPLETE


async def test_reply_stopped_before_its_first_word_begins_anew_when_continued(assistant):
    conversation = assistant.chat.new_conversation()
    whole = await say(assistant, conversation.id, "hello you")
    empty = assistant.store.messages.add(
        conversation.id, whole.parent_id, "assistant", "", state=MessageState.STOPPED, origin=Origin.GENERATED
    )
    events = await collect(assistant.chat.continue_reply(empty.id))
    assert events[-1].message.text == whole.text


async def test_each_side_is_edited_in_its_own_way(assistant):
    conversation = assistant.chat.new_conversation()
    reply = await say(assistant, conversation.id, "hello you")
    own = assistant.chat.messages(conversation.id)[0]
    with pytest.raises(AssistantError, match="own message branches"):
        assistant.chat.edit_reply(own.id, "no")
    for wrong in (
        assistant.chat.regenerate(own.id),
        assistant.chat.continue_reply(own.id),
        assistant.chat.edit_own(reply.id, "no"),
    ):
        with pytest.raises(AssistantError, match="only"):
            await collect(wrong)
    assert texts(assistant, conversation.id) == ["hello you", reply.text]


async def test_rating_is_kept_and_taken_back(assistant, home):
    conversation = assistant.chat.new_conversation()
    reply = await say(assistant, conversation.id, "hello you")
    assert [assistant.chat.rate(reply.id, rating).rating for rating in (1, -1)] == [1, -1]
    assert query(home, "SELECT * FROM ratings") == [(reply.id, -1)]
    assert assistant.chat.rate(reply.id, 0).rating == 0
    assert query(home, "SELECT * FROM ratings") == []


async def test_title_is_the_first_line_and_stays_when_renamed(assistant):
    long = assistant.chat.new_conversation()
    await say(assistant, long.id, "\n  " + "hello " * 20 + "\nsecond line")
    title = assistant.chat.conversations()[0].title
    assert len(title) <= 60
    assert title.endswith("…")
    assistant.chat.rename(long.id, "  Greetings ")
    await say(assistant, long.id, "more")
    assert assistant.chat.conversations()[0].title == "Greetings"


async def test_deleted_conversation_is_gone(assistant, home):
    kept, deleted = assistant.chat.new_conversation(), assistant.chat.new_conversation()
    for conversation in (kept, deleted):
        await say(assistant, conversation.id, f"hello you {conversation.id}")
    assistant.chat.delete(deleted.id)
    assert [c.id for c in assistant.chat.conversations()] == [kept.id]
    assert query(home, "SELECT DISTINCT conversation_id FROM messages") == [(kept.id,)]
    for wrong in (lambda: assistant.chat.messages(deleted.id), lambda: assistant.chat.delete(deleted.id)):
        with pytest.raises(AssistantError, match="not in the history"):
            wrong()
    with pytest.raises(AssistantError, match="not in the history"):
        await collect(assistant.chat.send(deleted.id, "hello"))
