"""What was pasted into a message is not learned from, until the person says that it is theirs."""

from __future__ import annotations

import json
from contextlib import aclosing

import pytest

from assistant.app import Assistant
from assistant.errors import AssistantError
from assistant.history.drafts import Drafts
from assistant.history.pastes import Pastes
from assistant.records import Source
from steering.learning import score_history
from steering.models.estimator import load_estimator
from storage.records import EffectKey, EffectRecord
from tests.assistant.conftest import query
from tests.assistant.made import add_profile, vector_bytes

DOCUMENT = "\n".join(" ".join(f"zq{line}x{word}" for word in range(10)) for line in range(6))
TYPED = "what do you make of this, the and all?"
MESSAGE = f"{TYPED}\n\n{DOCUMENT}"


async def say(assistant: Assistant, text: str, conversation_id: int | None = None) -> int:
    """Send a message; its id."""
    talk = assistant.chat.new_conversation().id if conversation_id is None else conversation_id
    async with aclosing(assistant.chat.send(talk, text)) as events:
        return (await anext(events)).message.id


async def paste_and_say(assistant: Assistant, text: str = MESSAGE) -> int:
    assistant.chat.pastes.pasted(DOCUMENT, into="")
    return await say(assistant, text)


def item(assistant: Assistant, message_id: int):
    return assistant.preferences.get(f"message:{message_id}")


async def test_a_pasted_document_is_left_out_and_named(assistant, home):
    number = await paste_and_say(assistant)
    one = item(assistant, number)
    assert (one.used, one.item.text, one.item.source) == (True, TYPED, Source.OWN_MESSAGE)
    assert [(passage.reason, passage.words) for passage in one.passages] == [("pasted", 60)]
    assert query(home, "SELECT text, pasted FROM messages WHERE id = ?", number) == [
        (MESSAGE, json.dumps([[MESSAGE.index(DOCUMENT), len(MESSAGE)]]))
    ]
    alone = item(assistant, await paste_and_say(assistant, DOCUMENT))
    assert alone.why_left_out == "all of it is quoted, pasted, forwarded or code"


async def test_no_token_of_it_is_scored_or_read(assistant, tiny, tmp_path, monkeypatch):
    await say(assistant, "you and the other user, hello")
    await paste_and_say(assistant)
    await say(assistant, "and another one of mine, hello you")
    estimator = load_estimator(tiny, tmp_path / "estimators", "tiny")
    read: list[tuple[int, ...]] = []
    begin, go_on = estimator.network.begin, estimator.network.continued_logprobs
    monkeypatch.setattr(estimator.network, "begin", lambda ids: (read.append(tuple(ids)), begin(ids))[1])

    def continued(rests, beginning):
        read.extend(rest.prompt_ids + rest.text_ids for rest in rests)
        return go_on(rests, beginning)

    monkeypatch.setattr(estimator.network, "continued_logprobs", continued)
    items = [one.item for one in assistant.preferences.items() if one.used]
    effects = score_history(estimator, items, {}, lambda _: None, lambda _: None).effects
    seen = "".join(estimator.tokenizer.decode(ids) for ids in read)
    assert "what do you make" in seen
    assert "zq" not in seen
    for one in items:
        found = effects[one.id]
        assert (min(found.starts), max(found.ends)) == (0, len(one.text))


async def test_a_claim_is_learned_from_and_taken_back(assistant, tmp_path):
    number = await paste_and_say(assistant)
    before = item(assistant, number)
    assistant.profiles.use(add_profile(assistant, vector_bytes(tmp_path)).version)
    key = EffectKey(before.item.scored_hash, "context", "estimator", "method")
    assistant.store.effects.put_many([EffectRecord(key, before.item.id, (0,), (4,), (-1.0,), (-2.0,))])
    assert len(assistant.profiles.explain(before.item.id).spans) == 1
    assistant.preferences.claim(before.item.id)
    claimed = item(assistant, number)
    assert (claimed.item.text, claimed.passages, claimed.claimed) == (MESSAGE, (), True)
    assert claimed.item.content_hash != before.item.content_hash, "it is scored anew"
    why = assistant.profiles.explain(before.item.id)
    assert (why.spans, why.left_out) == ((), "it is new since the last rebuild")
    assistant.preferences.claim(before.item.id)
    assistant.preferences.disclaim(before.item.id)
    assert item(assistant, number) == before
    assert len(assistant.profiles.explain(before.item.id).spans) == 1, "and costs nothing when it is taken back"


async def test_nothing_pasted_nothing_to_claim(assistant):
    number = await say(assistant, "typed words of mine alone")
    with pytest.raises(AssistantError, match="nothing was pasted into it"):
        assistant.preferences.claim(f"message:{number}")
    with pytest.raises(AssistantError, match="no item 'message:99'"):
        assistant.preferences.claim("message:99")


async def test_marks_stay_marks_whosever_the_paste_is(assistant):
    document = f"{DOCUMENT}\n\n> quoted words of another"
    assistant.chat.pastes.pasted(document, into="")
    number = await say(assistant, f"mine it is\n\n{document}")
    assistant.preferences.claim(f"message:{number}")
    one = item(assistant, number)
    assert one.item.text == f"mine it is\n\n{DOCUMENT}"
    assert [passage.reason for passage in one.passages] == ["quotation"]


async def test_an_edited_message_keeps_what_was_pasted_and_whose_it_is(home):
    opened = Assistant.open(home)
    number = await paste_and_say(opened)
    await opened.close()
    opened = Assistant.open(home)  # what was pasted then is known from the message alone
    for text, claimed in ((f"{MESSAGE}\n\nin short?", False), (f"{MESSAGE}\n\nin a word?", True)):
        if claimed:
            opened.preferences.claim(f"message:{number}")
        async with aclosing(opened.chat.edit_own(number, text)) as events:
            said = (await anext(events)).message
        assert said.pasted_parts == [DOCUMENT]
        assert item(opened, said.id).claimed is claimed
    await opened.close()


async def test_a_fork_knows_it_too(assistant):
    number = await paste_and_say(assistant)
    fork = assistant.history.fork(number)
    (copy,) = assistant.chat.messages(fork.id)
    assert copy.pasted_parts == [DOCUMENT]


async def test_what_was_pasted_is_known_in_drafts_and_recalled_messages_after_a_restart(assistant):
    await paste_and_say(assistant)
    assistant.drafts.keep(None, f"half {DOCUMENT}")
    later = Drafts(assistant.store, Pastes())
    assert later.pastes.stretches(MESSAGE) == ()
    assert later.get(None) == f"half {DOCUMENT}"
    assert later.pastes.stretches(MESSAGE)
    recalled = Drafts(assistant.store, Pastes())
    assert [text for _, text in recalled.sent()] == [MESSAGE]
    assert recalled.pastes.stretches(f"again: {MESSAGE}")


async def test_the_command_line_leaves_a_pipe_out_and_takes_it_as_told(cli):
    assert cli("chat", "what is this, the and all?", stdin=f"{DOCUMENT}\n").returncode == 0
    assert cli("chat", stdin="short words from a pipe\n").returncode == 0
    (pasted,) = query(cli.home, "SELECT pasted FROM messages WHERE id = 1")[0]
    assert json.loads(pasted) == [[28, 28 + len(DOCUMENT)]]
    assert query(cli.home, "SELECT pasted FROM messages WHERE id = 3") == [("[]",)]
    assert b"message:1" in cli("profile", "mine", "message:1").stdout
    assert query(cli.home, "SELECT * FROM claimed_items") == [("message:1",)]
    refused = cli("profile", "mine", "message:3")
    assert refused.returncode == 1 and b"nothing was pasted into it" in refused.stderr
    assert b"left out again" in cli("profile", "mine", "--undo", "message:1").stdout
    assert query(cli.home, "SELECT * FROM claimed_items") == []
    assert cli("profile", "mine", "message:9").returncode == 1


async def test_the_command_line_explains_what_is_left_out(cli, home, tmp_path):
    opened = Assistant.open(home)
    await paste_and_say(opened)
    opened.profiles.use(add_profile(opened, vector_bytes(tmp_path)).version)
    await opened.close()
    told = cli("profile", "explain", "message:1")
    assert told.returncode == 0
    assert "Left out: 60 words of it are not yours (pasted)." in told.stderr.decode()
    assert "pasted: “zq0x0 zq0x1" in told.stderr.decode()
    assert b"zq" not in told.stdout
