"""The description: measured habits, the form that the chat model fills in, and the sentences made of it."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.engine.llama import LlamaModel
from assistant.engine.llama.grammar import Grammar
from assistant.errors import EngineError
from steering.description import Habits, measure_habits, template_description, written_description
from steering.description.written import (
    CHOICES,
    FIELDS,
    MOST_TOPICS,
    TOPIC_WORDS,
    form_grammar,
    form_request,
    read_form,
    sentences,
)
from steering.items import PreferenceItem, Source
from steering.profile import Phrase
from tests.steering.oracles import hard_text

FIRST_PERSON = re.compile(r"(?i)\b(i|me|my|mine|i'm)\b")


def history(*texts: str) -> list[PreferenceItem]:
    return [PreferenceItem(f"i{k}", "", text, Source.WRITING, float(k)) for k, text in enumerate(texts)]


BAKER = history(
    "i don't bother with a stand mixer, honestly. wet hands and a bench scraper do it, and the sourdough is fine",
    "my starter lives in the fridge! it's rye, i feed it on fridays and it forgives me when i forget",
    "did you rest it? i'd give the dough forty minutes before folding, then my café loaf goes into the dutch oven",
)
ENGINEER = history(
    "The bearing should be replaced when radial play exceeds 0.15 mm. Measure it with a dial gauge at both ends of the "
    "shaft, because wear is rarely symmetrical, and record the readings.",
    "There are three causes of cavitation in a centrifugal pump: a blocked strainer, a suction line that is too long, "
    "and vapour pressure. The first is by far the most frequent.",
    "Torque the flange bolts in a star pattern to 60 N m. A gasket that was compressed once cannot be used again.",
)
DIARIST = history(
    "What a day!! The ferry to Skye was late again, and Tomasz had left the tickets in his other coat. We laughed.",
    "Why do villages smell of coal smoke in October? It took me straight back to gran's kitchen and her radio.",
    "Dear me, the choir. We murdered that Fauré so thoroughly that the vicar wept, and not for the right reasons.",
)
PEOPLE = {"baker": BAKER, "engineer": ENGINEER, "diarist": DIARIST}
WORDS = sorted({word for item in BAKER for word in re.findall(r"[\w']+", item.text)})
EMPTY: dict[str, list[str]] = {name: [] for name in FIELDS}
TOPIC_NOUNS = ["sourdough", "starter", "fridge", "rye", "café", "loaf", "dough", "scraper", "mixer"]

share = st.floats(0, 1)
length = st.floats(0, 1e6)
habits = st.builds(Habits, length, length, share, share, share, share, share, share)
INFORMAL = measure_habits([item.text for item in BAKER])


def one_of_each(
    topic: st.SearchStrategy[str], offered: dict[str, list[str]]
) -> st.SearchStrategy[dict[str, list[str]]]:
    """Forms with no more in each field than it takes."""
    chosen = {
        name: st.lists(st.sampled_from(offered[name]), max_size=most, unique=True)
        for name, (_, most) in CHOICES.items()
    }
    return st.fixed_dictionaries(chosen | {"topics": st.lists(topic, max_size=MOST_TOPICS, unique=True)})


def offered_to_the_informal() -> dict[str, list[str]]:
    return {name: [option for option in options if option != "formal"] for name, (options, _) in CHOICES.items()}


def written_out(form: dict[str, list[str]]) -> str:
    """A form as the grammar spells it."""
    return json.dumps({name: ", ".join(form[name]) for name in FIELDS}, ensure_ascii=False)


topics = st.lists(st.sampled_from(TOPIC_NOUNS), min_size=1, max_size=TOPIC_WORDS).map(" ".join)
forms = one_of_each(topics, offered_to_the_informal())
long_excerpts = st.builds(
    lambda item, start, count: " ".join(item.text.split()[start : start + count]),
    st.sampled_from(BAKER),
    st.integers(0, 20),
    st.integers(1, 20),
)
copied_forms = one_of_each(st.one_of(long_excerpts, topics, st.sampled_from(WORDS)), offered_to_the_informal())
scraps = st.lists(
    st.one_of(
        st.sampled_from([f'"{name}": "' for name in FIELDS]),
        st.sampled_from(['"', ", ", "{", "}", "\\", "\\u", "\\ud800", ":", "\n", "\x00", *WORDS]),
        st.sampled_from([option for options, _ in CHOICES.values() for option in options]),
        hard_text,
    ),
    max_size=30,
).map("".join)


@pytest.fixture(scope="session")
def vocabulary(tiny_path):
    with LlamaModel(tiny_path) as model:
        yield model


def test_habits_by_hand():
    texts = ["i don't know. it's late?", "- one\n- two\n- three!"]
    assert measure_habits(texts) == Habits(
        words=4.0,
        sentence_words=1.0,
        lower_case_share=1.0,
        first_person_share=1 / 8,
        contraction_share=2 / 8,
        question_share=0.5,
        exclamation_share=0.5,
        list_share=0.5,
        emoji_share=0.0,
        marks=8 / 8,
        common_share=3 / 8,  # one, two, three
    )


def test_habits_of_texts_without_words():
    habits = measure_habits(["...", "😀"])
    assert (habits.words, habits.emoji_share, habits.marks) == (0, 0.5, 3)
    assert "Uses emoji." in template_description(history("...", "😀"), [])


@pytest.mark.parametrize(("text", "is_emoji"), [("❤️", True), ("☺", True), ("🇩🇪", True), ("20 °C", False), ("©", False)])
def test_only_pictures_are_emoji(text, is_emoji):
    assert measure_habits([text]).emoji_share == is_emoji
    assert "sentences" in template_description(history("...", "😀"), [])


def test_the_template_says_what_was_measured():
    phrases = [Phrase(f"p{i}", 1.0, 1, ("a",)) for i in range(12)]
    said = template_description(history("i don't know, i can't say", "it's mine? i'd ask"), phrases)
    for expected in ("Lower case only.", "first person", "with contractions", "Often asks questions.", "“p0”", "“p7”"):
        assert expected in said
    assert "“p8”" not in said
    formal = template_description(history("The committee has decided. It will publish the report."), [])
    assert "Lower case" not in formal and "Impersonal" in formal and "No contractions." in formal
    assert "Typical" not in formal


@pytest.mark.parametrize(
    "text",
    [
        "Ich habe das Brot gebacken, und wir haben es am Abend gegessen.",
        "J'aime bien le pain, mais je pense que c'est trop cher ici.",
        "我喜欢在晚上烤面包。",
        "أحب الخبز في المساء",
    ],
)
def test_of_other_languages_nothing_is_said_that_is_a_matter_of_english(text):
    said = template_description(history(text), [])
    assert not any(claim in said for claim in ("Lower case", "mpersonal", "No contractions"))


@given(texts=st.lists(hard_text.filter(bool), min_size=1, max_size=5), phrases=st.lists(hard_text, max_size=40))
def test_the_request_is_short_and_says_what_was_measured(texts, phrases):
    items = history(*texts)
    measured = measure_habits(texts)
    request = form_request(items, [Phrase(text, 1.0, 1, ()) for text in phrases], measured)
    assert len(request) <= 1000
    assert f"{round(measured.sentence_words)} words" in request


def test_the_longest_request():
    items = history(*["x" * 5000] * 5)
    request = form_request(items, [Phrase("y" * 500, 1.0, 1, ())], Habits(1e9, 1e9, 1, 1, 1, 1, 1, 1, 1, 1, 1))
    assert len(request) <= 1000


def test_the_request_shows_the_newest_texts_and_the_phrases_there_are():
    items = history("oldest text", "second text", "third text", "newest text")
    plain = form_request(items, [], INFORMAL)
    assert "oldest" not in plain
    assert plain.index("second text") < plain.index("third text") < plain.index("newest text")
    assert "more than others" not in plain
    assert "more than others: weir, mill\n" in form_request(
        items, [Phrase("weir", 2.0, 1, ()), Phrase("mill", 1.0, 1, ())], INFORMAL
    )


@given(measured=habits)
def test_the_grammar_of_any_habits_parses(vocabulary, measured):
    Grammar(vocabulary, form_grammar(measured)).close()


@given(form=forms)
def test_a_well_formed_form_obeys_the_grammar_and_reads_as_it_was_written(vocabulary, form):
    reply = written_out(form)
    grammar = Grammar(vocabulary, form_grammar(INFORMAL))
    for token in vocabulary.tokenize(reply, parse_special=False):
        grammar.accept(token)
    grammar.close()
    assert read_form(reply, BAKER, INFORMAL) == form


@pytest.mark.parametrize(
    "field",
    ['"tone": "gloomy"', '"tone": "calm, calm, dry, warm"', '"topics": "a, b, c, d, e, f"', '"topics": "a b c d"'],
)
def test_what_the_form_does_not_offer_is_against_its_grammar(vocabulary, field):
    name = field.split('"')[1]
    reply = written_out(EMPTY).replace(f'"{name}": ""', field)
    grammar = Grammar(vocabulary, form_grammar(INFORMAL))
    with pytest.raises(EngineError, match="does not follow its grammar"):
        for token in vocabulary.tokenize(reply, parse_special=False):
            grammar.accept(token)
    grammar.close()


@given(reply=st.one_of(hard_text, scraps, copied_forms.map(written_out)), measured=habits)
def test_only_what_is_offered_and_words_of_the_person_come_out_of_any_reply(reply, measured):
    form = read_form(reply, BAKER, measured)
    assert set(form) == set(FIELDS)
    for name, (options, most) in CHOICES.items():
        assert set(form[name]) <= set(options)
        assert len(form[name]) == len(set(form[name])) <= most
    assert len(form["topics"]) <= MOST_TOPICS
    for topic in form["topics"]:
        assert 1 <= len(topic.split()) <= TOPIC_WORDS
        assert {word.casefold() for word in topic.split()} <= {word.casefold() for word in WORDS}
    if measured.contraction_share > 0.1:
        assert "formal" not in form["tone"]
    if measured.english and measured.contraction_share == measured.first_person_share == 0:
        assert not {"informal", "casual", "chatty", "slang"} & {*form["tone"], *form["vocabulary"]}


@given(form=forms)
def test_a_cut_form_loses_only_what_was_cut(form):
    reply = written_out(form)
    for name in FIELDS[:-1]:
        upto = reply.index(f'"{FIELDS[FIELDS.index(name) + 1]}"')
        assert read_form(reply[:upto], BAKER, INFORMAL)[name] == form[name]
    assert read_form(reply[:-2], BAKER, INFORMAL)["wishes"] == []


@given(reply=st.one_of(scraps, copied_forms.map(written_out)), measured=habits)
def test_sentences_copy_nothing_and_never_speak_of_the_model(reply, measured):
    form = read_form(reply, BAKER, measured)
    said = sentences(form, measured)
    assert bool(said) == any(form.values())
    assert_plain_sentences(said, BAKER)


def assert_plain_sentences(said: str, items: list[PreferenceItem]) -> None:
    """One to five whole sentences, or nothing at all; nobody's first person, no excerpt."""
    if not said:
        return
    assert 1 <= len(re.findall(r"\.(?= [A-Z]|$)", said)) <= 5
    assert said[0].isupper() and said.endswith(".") and "  " not in said and "\n" not in said
    assert not FIRST_PERSON.search(said)
    for item in items:
        words = item.text.split()
        for start in range(len(words) - TOPIC_WORDS):
            assert " ".join(words[start : start + TOPIC_WORDS + 1]) not in said


def test_sentences_by_hand():
    form = {
        "tone": ["direct", "dry", "warm"],
        "structure": ["steps to follow"],
        "vocabulary": ["everyday words", "abbreviations"],
        "topics": ["rye", "dutch oven"],
        "wishes": ["brevity"],
    }
    plain = Habits(100, 15, 0, 0.01, 0.01, 0, 0, 0, 0, 0, 0.3)
    assert sentences(form, plain) == (
        "The tone is direct, dry and warm. Answers of about 100 words, in medium-long sentences of about 15 words: "
        "steps to follow, in everyday words and abbreviations. Topics: rye, dutch oven. Values brevity."
    )
    assert sentences(EMPTY, plain) == ""
    lower = Habits(100, 15, 1, 0.05, 0.02, 0, 0, 0, 0, 0, 0.3)
    assert sentences(EMPTY | {"tone": ["calm"]}, lower) == (
        "The tone is calm. Answers of about 100 words, in medium-long sentences of about 15 words. "
        "Lower case only; personal, often in the first person; informal, with contractions."
    )


@pytest.mark.parametrize(
    ("topics", "kept"),
    [
        ("sourdough, Dutch oven, café loaf", ["sourdough", "Dutch oven", "café loaf"]),
        ("the weather, politics", []),
        ("the fridge, my starter, i, fridge the", []),
        ("wet hands and a bench scraper do it", []),
        ("rye, rye, rye  ,rye", ["rye"]),
        ("", []),
    ],
    ids=["own", "not own", "of nobody", "too long", "repeated", "none"],
)
def test_topics_by_hand(topics, kept):
    assert read_form(json.dumps({"topics": topics}, ensure_ascii=False), BAKER, INFORMAL)["topics"] == kept


class Writer:
    """A chat model that always says the same."""

    def __init__(self, says: str) -> None:
        self._says = says

    def reply(self, *_args: object, **_how: object) -> str:
        return self._says


@pytest.mark.parametrize(
    "says", ["", "I'm glad to hear that you like it. Warm in tone!", '{"tone": ""}', '{"tone": "gloomy"', "{}"]
)
def test_an_answer_is_no_description(says):
    assert written_description(Writer(says), BAKER, []) == ""


def test_a_vetoed_word_is_no_topic():
    reply = json.dumps({"topics": "bench scraper, bench", "tone": "dry"})
    assert "Topics: bench scraper, bench." in written_description(Writer(reply), BAKER, [])
    said = written_description(Writer(reply), BAKER, [], vetoed=["Scraper"])
    assert "Topics: bench." in said and "scraper" not in said


@pytest.mark.parametrize("items", PEOPLE.values(), ids=PEOPLE)
def test_a_model_that_knows_nothing_still_keeps_to_the_form(tiny_chat, items):
    assert_plain_sentences(written_description(tiny_chat, items, []), items)


@pytest.mark.bundled
@pytest.mark.parametrize("items", PEOPLE.values(), ids=PEOPLE)
def test_the_bundled_model_fills_the_form_in(bundled_chat, items):
    phrases = [Phrase("bench scraper", 3.0, 2, ("i0",))]
    said = written_description(bundled_chat, items, phrases)
    assert said
    assert_plain_sentences(said, items)
    words = sorted(len(re.findall(r"\w+(?:['’]\w+)*", item.text)) for item in items)
    about = int(re.search(r"about (\d+) words", said)[1])
    assert math.isclose(about, words[1], abs_tol=5)
    assert ("Lower case only" in said) == (items is BAKER)
    assert written_description(bundled_chat, items, phrases) == said
