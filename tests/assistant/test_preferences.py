"""Which texts are learned from, with which rejected reply beside them."""

from __future__ import annotations

import sqlite3

import pytest

from assistant.errors import AssistantError, ImportFileError
from assistant.records import MessageState, Origin, PreferenceItem, Source


@pytest.fixture
def talk(assistant):
    return assistant.chat.new_conversation()


@pytest.fixture
def add(assistant, talk):
    """Adds a message as the chat would have stored it."""

    def added(parent, role, text, *, origin=None, state=MessageState.COMPLETE):
        made = origin or (Origin.TYPED if role == "user" else Origin.GENERATED)
        return assistant.store.messages.add(talk.id, parent and parent.id, role, text, state=state, origin=made)

    return added


def by_source(assistant, source: Source) -> list:
    return [found.item for found in assistant.preferences.items() if found.item.source is source]


async def imported(assistant, file):
    return await assistant.importing.add(await assistant.importing.preview(file))


async def test_writings_keep_their_prompt(assistant, tmp_path):
    file = tmp_path / "own.jsonl"
    file.write_text('{"prompt": "What now?", "text": "One text of mine."}\n{"prompt": "", "text": "Another text."}\n')
    counts = await imported(assistant, file)
    assert (counts.texts, counts.known) == (2, 0)
    assistant.preferences.add_text("Added by my own hand.", " Who? ")
    found = by_source(assistant, Source.WRITING)
    assert [(item.context, item.text, item.negative) for item in found] == [
        ("What now?", "One text of mine.", None),
        ("", "Another text.", None),
        ("Who?", "Added by my own hand.", None),
    ]
    with pytest.raises(AssistantError, match="no text"):
        assistant.preferences.add_text(" \n ")


def test_rated_up_reply_counts_and_the_others_do_not(assistant, add):
    asked = add(None, "user", "tell me something")
    up = add(asked, "assistant", "a reply that was good")
    down = add(asked, "assistant", "a reply that was bad")
    unrated = add(asked, "assistant", "a reply without a rating")
    assistant.chat.rate(up.id, 1)
    assert [item.negative for item in by_source(assistant, Source.CHOSEN)] == [unrated.text]
    assistant.chat.rate(down.id, -1)
    (chosen,) = by_source(assistant, Source.CHOSEN)
    assert (chosen.id, chosen.context, chosen.text) == (f"message:{up.id}", asked.text, up.text)
    assert chosen.negative == down.text, "one that was rated down goes before one that was not rated"
    assistant.chat.rate(up.id, 0)
    assert by_source(assistant, Source.CHOSEN) == []


def test_reply_alone_has_no_negative(assistant, add):
    up = add(add(None, "user", "tell me something"), "assistant", "a reply that was good")
    assistant.chat.rate(up.id, 1)
    assert by_source(assistant, Source.CHOSEN)[0].negative is None


def test_edited_reply_has_the_original_as_negative(assistant, add):
    original = add(add(None, "user", "tell me something"), "assistant", "what the model said")
    first = assistant.chat.edit_reply(original.id, "what I would have said")
    again = assistant.chat.edit_reply(first.id, "what I really would have said")
    found = by_source(assistant, Source.EDITED)
    assert [item.id for item in found] == [f"message:{again.id}"], "what was put right once more is no second text"
    assert {item.negative for item in found} == {original.text}
    assistant.chat.rate(again.id, -1)
    assert [item.id for item in by_source(assistant, Source.EDITED)] == [f"message:{first.id}"]


def test_a_reply_that_was_liked_and_then_put_right_counts_once(assistant, add):
    liked = add(add(None, "user", "tell me something"), "assistant", "what the model said")
    assistant.chat.rate(liked.id, 1)
    edited = assistant.chat.edit_reply(liked.id, "what I would have said")
    assert by_source(assistant, Source.CHOSEN) == []
    assert [item.id for item in by_source(assistant, Source.EDITED)] == [f"message:{edited.id}"]
    assistant.chat.rate(edited.id, -1)
    assert [item.id for item in by_source(assistant, Source.CHOSEN)] == [f"message:{liked.id}"]


def test_own_version_and_broken_replies_are_never_the_rejected_one(assistant, add):
    asked = add(None, "user", "tell me something")
    up, put_right = (add(asked, "assistant", f"a reply that was {how}") for how in ("good", "better"))
    for reply in (up, put_right):
        assistant.chat.rate(reply.id, 1)
    assistant.chat.edit_reply(put_right.id, "my own version of it")
    add(asked, "assistant", "cut short by a", state=MessageState.FAILED)
    add(asked, "assistant", "stopped after th", state=MessageState.STOPPED)
    add(asked, "assistant", " ", state=MessageState.COMPLETE)
    assert by_source(assistant, Source.CHOSEN)[0].negative is None


def test_own_messages_come_with_what_they_answer(assistant, add):
    first = add(None, "user", "a question of mine")
    reply = add(first, "assistant", "what the model said")
    second = add(reply, "user", "and another of mine")
    add(second, "user", "imported from somewhere else", origin=Origin.IMPORTED)
    found = by_source(assistant, Source.OWN_MESSAGE)
    assert [(item.context, item.text) for item in found] == [("", first.text), (reply.text, second.text)]


def test_too_short_and_duplicates_are_left_out_with_the_reason(assistant, add):
    add(None, "user", "thanks, bye")
    add(None, "user", "the very same words")
    add(None, "user", "the very same words")
    found = assistant.preferences.items()
    assert [item.why_left_out for item in found] == ["too short (under 3 words)", "", "the same as another item"]
    assert [item.used for item in found] == [False, True, False]


def test_a_text_that_came_in_several_ways_is_learned_once(assistant):
    """A copy among the newest would judge the vector that the other one made."""
    assistant.preferences.add_text("One mail of mine,\nwith two lines.", "Re: the mail")
    assistant.preferences.add_text("One mail of mine, with two lines. ", "from the archive")
    assistant.preferences.add_text("one mail of mine, with two lines.")
    assert [item.why_left_out for item in assistant.preferences.items()] == ["", "the same as another item", ""]


def test_a_text_in_other_code_points_is_a_copy_and_stays_as_it_came(assistant, add):
    composed, decomposed = "Caf\u00e9 au lait, s'il vous pla\u00eet.", "Cafe\u0301 au lait, s'il vous plai\u0302t."
    for text in (composed, decomposed):
        assistant.preferences.add_text(text, "which drink?" if text == composed else "which one?")
        add(None, "user", text)
    found = assistant.preferences.items()
    assert sorted(item.why_left_out for item in found) == [
        "",
        "",
        "the same as another item",
        "the same as another item",
    ]
    assert sorted(item.item.text for item in found) == sorted([composed, decomposed] * 2)


def test_excluded_item_is_left_out_until_included(assistant):
    assistant.preferences.add_text("One text of mine.")
    (found,) = assistant.preferences.items()
    assistant.preferences.exclude(found.item.id)
    assert [(i.used, i.why_left_out) for i in assistant.preferences.items()] == [(False, "excluded by you")]
    assistant.preferences.include(found.item.id)
    assert assistant.preferences.items() == [found]
    with pytest.raises(AssistantError, match="no item 'writing:99'"):
        assistant.preferences.exclude("writing:99")


def test_items_are_in_the_order_of_time_whatever_their_kind(assistant, add):
    first = add(None, "user", "a question of mine")
    writing = assistant.preferences.add_text("One text of mine.")
    reply = add(first, "assistant", "what the model said")
    edited = assistant.chat.edit_reply(reply.id, "what I would have said")
    last = add(edited, "user", "the last thing said")
    found = [entry.item for entry in assistant.preferences.items()]
    expected = [f"message:{first.id}", f"writing:{writing.id}", f"message:{edited.id}", f"message:{last.id}"]
    assert [item.id for item in found] == expected
    assert [item.order for item in found] == [0.0, 1.0, 2.0, 3.0]


def test_vetoes_in_any_case(assistant):
    assistant.preferences.veto_phrase("Cheers ")
    assistant.preferences.veto_phrase("cheers")
    assert assistant.preferences.vetoed_phrases() == ["Cheers"]
    assistant.preferences.allow_phrase("CHEERS")
    assert assistant.preferences.vetoed_phrases() == []


async def test_full_disk_is_said_in_words_and_nothing_is_kept(assistant, tmp_path):
    file = tmp_path / "big.txt"
    file.write_text("many words " * 200_000)
    pages = assistant.store._db.rows("PRAGMA page_count")[0]["page_count"]
    assistant.store._db.rows(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(AssistantError, match="no space is left on the disk; free some") as caught:
        await imported(assistant, file)
    assert not isinstance(caught.value, ImportFileError | sqlite3.Error)
    with pytest.raises(AssistantError, match="no space is left"):
        assistant.preferences.add_text(file.read_text())
    assert assistant.preferences.items() == []


PASTED = "What does this mean?\n\n```\nTraceback (most recent call last):\n```\n\nIt happens at night."


async def test_what_is_pasted_into_a_message_or_a_text_is_not_learned_from(assistant, add):
    asked = add(None, "user", PASTED)
    assistant.preferences.add_text("> Shall we meet at noon?\n\nNo, rather at one, please.")
    edited = add(asked, "assistant", "I would do it so:\n\n```\nls -l\n```", origin=Origin.EDITED)
    found = {one.item.source: one for one in assistant.preferences.items()}
    own = found[Source.OWN_MESSAGE]
    assert own.used and own.item.text == "What does this mean?\n\nIt happens at night."
    assert [(passage.reason, passage.words) for passage in own.passages] == [("code", 7)]
    assert found[Source.WRITING].item.text == "No, rather at one, please."
    assert found[Source.EDITED].item.text == edited.text and not found[Source.EDITED].passages


async def test_a_text_that_is_all_quoted_says_so(assistant):
    assistant.preferences.add_text("> one two three four\n> five")
    (one,) = assistant.preferences.items()
    assert not one.used and one.why_left_out == "all of it is quoted, pasted, forwarded or code"


async def test_what_has_no_passages_keeps_its_hash(assistant):
    """Effects that were computed for it before passages were known are found again."""
    text = '  As it was typed.\n\n\n\nWith "quotation" marks.  '
    assistant.preferences.add_text(text)
    (one,) = assistant.preferences.items()
    assert one.item.scored_hash == PreferenceItem("x", "", text, Source.WRITING, 0).scored_hash


async def test_texts_of_scripts_without_blanks_are_not_too_short(assistant):
    for text in ("我喜欢在晚上烤面包。", "夜にパンを焼くのが好き", "ok 好"):
        assistant.preferences.add_text(text)
    assert [item.why_left_out for item in assistant.preferences.items()] == ["", "", "too short (under 3 words)"]


async def test_messages_that_the_settings_leave_out_say_so(assistant, add):
    add(None, "user", "what do you make of it")
    add(None, "user", "ok")
    assistant.change_setting("preferences", "learn_from_own_messages", False)
    assert {item.why_left_out for item in assistant.preferences.items()} == {
        "your chat messages are not scored, as the settings have it"
    }
    assistant.change_setting("preferences", "learn_from_own_messages", True)
    assert [item.used for item in assistant.preferences.items()] == [True, False]
