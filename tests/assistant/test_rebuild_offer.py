"""What is new since the newest version, held against what a rebuild would learn from; what is noted survives."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from assistant.app import Assistant
from assistant.profile.news import News
from assistant.profile.version import IMPORTED
from assistant.records import MessageState, Origin, Phrase, Source, StrengthPoint
from tests.assistant.made import OUTCOME, add_profile

QUOTED = "> all of this\n> somebody else wrote"


@pytest.fixture
def reply(assistant):
    """Adds a question and a reply to it."""
    talk = assistant.chat.new_conversation()

    def added(text: str, *, origin: Origin = Origin.GENERATED, conversation: int = talk.id):
        def add(parent, role, said, made):
            return assistant.store.messages.add(
                conversation, parent, role, said, state=MessageState.COMPLETE, origin=made
            )

        return add(add(None, "user", f"what about {text[:5]}", Origin.TYPED).id, "assistant", text, origin)

    return added


def would_learn(assistant) -> dict[str, str]:
    """What a vector would be learned from, read in full as a rebuild does."""
    return {
        found.item.id: found.item.content_hash
        for found in assistant.preferences.items()
        if found.used and found.item.source is not Source.OWN_MESSAGE
    }


def learn(assistant, **changes) -> int:
    """A version of all that is used now, as a rebuild keeps it."""
    record = assistant.store.profiles.add(
        model_fingerprint="f",
        inputs_hash="made by hand",
        outcome=asdict(OUTCOME) | changes,
        description="",
        vector=None,
        item_hashes={found.item.id: found.item.content_hash for found in assistant.preferences.items() if found.used},
    )
    return record.version


def write(assistant, *texts: str) -> list[str]:
    return [f"writing:{assistant.preferences.add_text(text).id}" for text in texts]


async def test_copies_are_one_new_text_as_a_rebuild_has_it(assistant):
    write(assistant, "a text of mine", "a  text\nof mine", "another text of mine")
    assistant.preferences.add_text("a text of mine", "Another request?")
    assert (await assistant.offer.news()).new == len(would_learn(assistant)) == 2


async def test_only_what_would_be_learned_from_is_new(assistant, reply):
    write(assistant, "a text of mine", "Another text of mine.", "too short", QUOTED, f"a text of mine\n\n{QUOTED}")
    up, unrated, down = reply("rated up by me"), reply("never rated by me"), reply("rated down by me")
    assistant.chat.rate(up.id, 1)
    assistant.chat.rate(down.id, -1)
    assistant.chat.edit_reply(unrated.id, "as I would have said it")
    left_out, *_ = write(assistant, "left out by myself")
    assistant.preferences.exclude(left_out)
    trash = assistant.chat.new_conversation()
    assistant.chat.rate(reply("rated, then deleted", conversation=trash.id).id, 1)
    assistant.history.delete(trash.id)
    news = await assistant.offer.news()
    assert news == News(None, learned=0, new=len(would_learn(assistant)))
    assert news.new == 4


async def test_typed_messages_are_no_news(assistant, reply):
    reply("not rated either")
    assert await assistant.offer.news() == News(None, 0, 0)
    version = learn(assistant)
    reply("nor this one")
    assert await assistant.offer.news() == News(version, 0, 0)


async def test_changes_since_a_version_are_counted_by_kind(assistant, reply):
    first, second, *_ = write(assistant, *(f"text number {n}" for n in range(9)))
    up = reply("rated up by me")
    assistant.chat.rate(up.id, 1)
    phrases = tuple(asdict(Phrase(text, 1.0, 1, (second,))) for text in ("Aye", "nay"))
    version = learn(assistant, phrases=phrases)
    assert await assistant.offer.news() == News(version, 10, 0)
    assistant.chat.rate(up.id, 0)
    assistant.preferences.exclude(first)
    write(assistant, "this one is new")
    assistant.preferences.veto_phrase("aye")
    assistant.preferences.veto_phrase("of no version")
    assert await assistant.offer.news() == News(version, 10, 1, gone=2, vetoed=1)
    assistant.store.writing.delete(int(second.partition(":")[2]))
    assert await assistant.offer.news() == News(version, 9, 1, gone=2, forgotten=True, vetoed=1)
    assistant.preferences.include(first)
    assert (await assistant.offer.news()).gone == 1


async def test_the_newest_version_made_here_counts_in_use_or_not(assistant):
    write(assistant, *(f"text number {n}" for n in range(5)))
    learn(assistant)
    write(assistant, "this one is new")
    newest = learn(assistant)
    add_profile(assistant, None)
    assistant.store.profiles.add(
        model_fingerprint="f",
        inputs_hash=IMPORTED,
        outcome=asdict(OUTCOME),
        description="",
        vector=None,
        item_hashes={},
    )
    assistant.store.profiles.delete(newest + 1)
    assert await assistant.offer.news() == News(newest, 6, 0), "an imported version learned from nothing here"


async def test_what_is_put_off_is_offered_again_after_as_much_more_even_after_a_restart(assistant, home):
    write(assistant, *(f"text number {n}" for n in range(9)))
    news = await assistant.offer.news()
    assert assistant.offer.due(news)
    assistant.offer.put_off(news)
    again = Assistant.open(home)
    try:
        write(again, *(f"later text number {n}" for n in range(7)))
        assert not again.offer.due(await again.offer.news())
        write(again, "one more text")
        assert again.offer.due(await again.offer.news())
        learn(again)
        write(again, *(f"much later text {n}" for n in range(5)))
        assert again.offer.due(await again.offer.news()), "what was put off was another version's"
    finally:
        await again.close()


async def test_a_try_and_what_was_put_off_are_noted_apart(assistant):
    news = News(3, 10, 6)
    assistant.offer.note_try(news)
    assert assistant.offer.due(news)
    assert not assistant.offer.untried(news)
    assert not assistant.offer.untried(News(3, 10, 10))
    assert assistant.offer.untried(News(3, 10, 11))
    assert assistant.offer.untried(News(4, 10, 6))
    assistant.offer.put_off(news)
    assert not assistant.offer.due(news)
    assert not assistant.offer.untried(news)


@pytest.mark.parametrize("broken", ["", "[]", '{"put off": 3}', '{"put off": {"version": 3, "changes": "x"}}', "\x00"])
async def test_a_broken_note_only_means_to_offer_once_more(assistant, broken):
    assistant.paths.rebuild_offer.write_text(broken)
    assert assistant.offer.due(News(3, 10, 6))
    assistant.offer.put_off(News(3, 10, 6))
    assert not assistant.offer.due(News(3, 10, 6))
    assert assistant.paths.rebuild_offer.stat().st_mode & 0o777 == 0o600


async def test_a_text_is_read_once(assistant, monkeypatch):
    write(assistant, *(f"text number {n}" for n in range(3)))
    await assistant.offer.news()
    read = []
    get = assistant.store.writing.get
    monkeypatch.setattr(assistant.store.writing, "get", lambda number: read.append(number) or get(number))
    write(assistant, "a later text")
    assert (await assistant.offer.news()).new == 4
    assert len(read) == 1


def test_the_command_line_says_the_same_and_prints_the_gain_by_strength(cli, home):
    opened = Assistant.open(home)
    write(opened, *(f"text number {n}" for n in range(9)))
    curve = tuple(asdict(StrengthPoint(strength, gain, 0.2)) for strength, gain in ((0.5, 0.06), (1.5, -0.1)))
    opened.store.profiles.set_state(version=learn(opened, curve=curve))
    write(opened, "this one is new")
    opened.store.close()
    lines = cli("profile", "show").stdout.decode().splitlines()
    assert [line.split() for line in lines if "gain " in line and "KL" in line] == [
        ["by", "strength", "0.5", "gain", "+0.060", "KL", "0.200"],
        ["1.5", "gain", "-0.100", "KL", "0.200", "past", "the", "safe", "limit", "1.25"],
    ]
    assert lines[-1] == "  news           1 new text since version 1"
    opened = Assistant.open(home)
    write(opened, *(f"later text number {n}" for n in range(4)))
    opened.store.close()
    shown = cli("profile", "show")
    assert shown.stdout.decode().endswith("5 new texts since version 1; `assistant rebuild` learns from them\n")
    assert json.loads(cli("profile", "show", "--json").stdout)["news"]["new"] == 5
