from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.records import MessageState, Origin, SearchFilter, SearchHit
from storage.search import EVERYTHING
from storage.store import Store
from tests.storage.conftest import RawQuery

COMPLETE = {"state": MessageState.COMPLETE}


def marked(hit: SearchHit) -> list[str]:
    return [hit.snippet[start:end] for start, end in hit.marks]


def test_own_words_come_before_replies(store: Store):
    talk = store.conversations.create()
    replies = [
        store.messages.add(talk.id, None, "assistant", "tomatoes love sun", **COMPLETE, origin=Origin.GENERATED)
        for _ in range(3)
    ]
    own = store.messages.add(talk.id, None, "user", "tomatoes love sun", **COMPLETE, origin=Origin.TYPED)
    edited = store.messages.add(talk.id, None, "assistant", "tomatoes love sun", **COMPLETE, origin=Origin.EDITED)
    found = [hit.message_id for hit in store.search.search("tomatoes")]
    assert set(found[:2]) == {own.id, edited.id}
    assert set(found[2:]) == {reply.id for reply in replies}


def test_titles_come_first_and_follow_renaming(store: Store):
    talk = store.conversations.create("Tomato garden")
    store.messages.add(talk.id, None, "user", "my tomato", **COMPLETE, origin=Origin.TYPED)
    hits = store.search.search("tomato")
    assert [(hit.conversation_id, hit.message_id) for hit in hits] == [(talk.id, None), (talk.id, 1)]
    assert hits[0].snippet == "Tomato garden"
    assert marked(hits[0]) == ["Tomato"]
    store.conversations.rename(talk.id, "Cellar")
    assert [hit.message_id for hit in store.search.search("tomato")] == [1]
    assert [hit.snippet for hit in store.search.search("cellar")] == ["Cellar"]
    assert len(store.search.search("tomato", limit=0)) == 0


def test_all_words_the_last_one_unfinished_accents_aside(store: Store):
    talk = store.conversations.create()
    text = "Das Café\nin der Straße [b]hat[/b] heute \x02offen\x03"
    message = store.messages.add(talk.id, None, "user", text, **COMPLETE, origin=Origin.TYPED)
    (hit,) = store.search.search("cafe off")
    assert hit.message_id == message.id
    assert hit.snippet == text.replace("\n", " ")
    assert marked(hit) == ["Café", "offen"]
    assert store.search.search("caf offen") == []


def test_a_long_text_is_cut_around_the_match(store: Store):
    talk = store.conversations.create()
    text = " ".join(f"w{number}" for number in range(500))
    store.messages.add(talk.id, None, "user", text, **COMPLETE, origin=Origin.TYPED)
    (hit,) = store.search.search("w250")
    assert len(hit.snippet) < 120
    assert hit.snippet.startswith("…")
    assert marked(hit) == ["w250"]


OPERATORS = st.sampled_from(
    ['"', "'", "*", "^", "AND", "OR", "NOT", "NEAR(", ")", "own:", "{", "-", "+", "any", "\0", ":", '""']
)


@settings(max_examples=150, deadline=None)
@given(query=st.lists(st.one_of(OPERATORS, st.text(st.characters(), max_size=8)), max_size=60).map(" ".join))
def test_no_query_is_a_syntax_error(shared_store: Store, query: str):
    if not shared_store.conversations.list():
        talk = shared_store.conversations.create("any title")
        shared_store.messages.add(talk.id, None, "user", "any text", **COMPLETE, origin=Origin.TYPED)
    for hit in shared_store.search.search(query):
        assert all(hit.snippet[start:end] for start, end in hit.marks)


def test_a_query_of_operators_is_looked_for_as_words(store: Store):
    talk = store.conversations.create()
    for text in ("this OR that", "this"):
        store.messages.add(talk.id, None, "user", text, **COMPLETE, origin=Origin.TYPED)
    assert [hit.message_id for hit in store.search.search("this OR that")] == [1]


def test_a_word_of_a_script_without_blanks_is_found_anywhere(store: Store):
    talk = store.conversations.create("关于番茄的问题")
    texts = [
        "我想在阳台上种番茄。\n请问Tomato怎么种？",
        "今日は東京でラーメンを食べました",
        "ผมชอบกินมะม่วง",
        "tomatoes love sun",
    ]
    ids = [store.messages.add(talk.id, None, "user", t, **COMPLETE, origin=Origin.TYPED).id for t in texts]
    reply = store.messages.add(talk.id, None, "assistant", "番茄" * 50, **COMPLETE, origin=Origin.GENERATED)

    def found(query: str, only: SearchFilter = EVERYTHING) -> list[int | None]:
        return [hit.message_id for hit in store.search.search(query, only)]

    assert found("番茄") == [None, ids[0], reply.id]
    assert found("ラーメン") == [ids[1]]
    assert found("มะม่วง") == [ids[2]]
    assert found('阳台 "番茄" tomato') == [ids[0]]
    assert found("番茄 sun") == []
    assert found("番茄", SearchFilter(role="assistant")) == [reply.id]
    assert found("番茄", SearchFilter(after=datetime(2099, 1, 1, tzinfo=UTC))) == []
    title, own, long = store.search.search("番茄")
    assert (title.snippet, marked(title)) == ("关于番茄的问题", ["番茄"])
    assert (own.snippet, marked(own)) == (texts[0].replace("\n", " "), ["番茄"])
    assert long.snippet == "番茄" * 30 + "…"


def test_a_picture_is_found(store: Store):
    talk = store.conversations.create("title")
    texts = ["I grow 🍅 here", "family 👩‍👩‍👧", "tomatoes", "3 °C"]
    ids = [store.messages.add(talk.id, None, "user", t, **COMPLETE, origin=Origin.TYPED).id for t in texts]
    for query, expected in (("🍅", [ids[0]]), ("grow 🍅", [ids[0]]), ("👩‍👩‍👧", [ids[1]]), ("sun 🍅", []), ("🙈", [])):
        assert [hit.message_id for hit in store.search.search(query)] == expected


def test_the_index_is_sound_after_changes(store: Store, raw: RawQuery):
    talk = store.conversations.create("title")
    for number in range(50):
        message = store.messages.add(talk.id, None, "assistant", f"draft {number}", **COMPLETE, origin=Origin.GENERATED)
        store.messages.finish(message.id, text=f"final {number}", state=MessageState.COMPLETE)
    raw("INSERT INTO messages_fts (messages_fts, rank) VALUES ('integrity-check', 1)")
    raw("INSERT INTO titles_fts (titles_fts, rank) VALUES ('integrity-check', 1)")
    assert store.search.search("draft") == []
    assert len(store.search.search("final")) == 50
