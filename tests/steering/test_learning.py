"""History, split, replies, learning and material: what is looked at, what judges, what is scored again."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from steering.backbones import BACKBONES
from steering.backbones.base import Example
from steering.calibration.replies import JUDGED_TOKENS, REPLY_TOKENS, compare_replies, repetition
from steering.calibration.split import MAX_HELD_BACK, MAX_TUNE, MIN_ITEMS, for_phrases_only, split_items
from steering.calibration.tuning import CHOOSING_REPLIES, NeutralReplies, choose_settings
from steering.effects.selection import token_weights
from steering.errors import TooFewItemsError
from steering.items import CONTRASTIVE_SOURCES, PreferenceItem, Source
from steering.learning import neutral_replies, own_replies, score_history
from steering.material import LEARNED_TOKENS, examples, scored_text
from steering.models.batches import ScoredText
from steering.neutral import load_neutral_set
from steering.prompts import description_system, render_prompt

WORDS = ("garden", "rice", "roses", "train", "hello", "rain", "you", "cup", "late", "key")


def item(order: int, text: str, context: str = "", source: Source = Source.WRITING) -> PreferenceItem:
    return PreferenceItem(f"i{order}", context, text, source, float(order))


def token_count(tokenizer, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else 0


def test_a_message_that_says_what_judges_is_not_read_for_phrases():
    texts = [item(order, f"text number {order} of mine") for order in range(8)]
    typed = [item(n, text, source=Source.OWN_MESSAGE) for n, text in ((8, "text  number 7\nof mine"), (9, "hello you"))]
    split = split_items([*texts, *typed])
    assert split.held_back[-1].text == "text number 7 of mine"
    assert for_phrases_only([*texts, *typed], split) == [typed[1]]


@given(
    sources=st.lists(st.sampled_from(list(Source)), max_size=160),
    orders=st.randoms(use_true_random=False),
)
def test_the_split_judges_by_the_newest(sources, orders):
    made = [item(i, "a text", source=source) for i, source in enumerate(sources)]
    orders.shuffle(made)
    usable = sorted((i for i in made if i.source in CONTRASTIVE_SOURCES), key=lambda i: i.order)
    if len(usable) < MIN_ITEMS:
        with pytest.raises(TooFewItemsError, match=f"^{len(usable)} texts to learn from"):
            split_items(made)
        return
    split = split_items(made)
    assert list(split.learnable) == usable
    assert sorted(split.fit + split.tune + split.held_back, key=lambda i: i.order) == usable
    assert split.development == split.fit + split.tune
    own = [i for i in usable if i.source is not Source.CHOSEN]
    measured = own if len(own) >= MIN_ITEMS else usable
    assert list(split.measurable) == measured
    assert list(split.tune + split.held_back) == measured[-len(split.tune + split.held_back) :]
    quarter = len(measured) / 4
    assert all(part for part in (split.fit, split.tune, split.held_back))
    assert abs(len(split.held_back) - min(quarter, MAX_HELD_BACK)) <= 0.5
    assert len(split.tune) == min(len(split.held_back), MAX_TUNE)


def orders_of(items: tuple[PreferenceItem, ...]) -> list[int]:
    return [int(one.order) for one in items]


def test_what_answers_one_request_is_on_one_side():
    """The seventh text answers what the third did, in another spacing, which is learned from."""
    asked = ["a?", "b?", "what is c?", "d?", "e?", "f?", "what  is\nc?", "h?"]
    split = split_items([item(n, f"text {n}", context) for n, context in enumerate(asked)])
    assert orders_of(split.fit) == [0, 1, 2, 6]
    assert (orders_of(split.tune), orders_of(split.held_back)) == ([3, 4], [5, 7])


def test_the_models_own_reply_to_a_request_that_judges_makes_no_vector_that_is_judged():
    made = [item(n, f"text {n}", f"q{n}?") for n in range(4)]
    liked = item(5, "liked", "q3?", Source.CHOSEN)
    split = split_items([*made, liked])
    assert split.held_back == (made[3],) and liked in split.learnable
    assert liked not in (*split.fit, *split.tune, *split.held_back)


def test_texts_that_all_answer_one_request_are_split_by_age():
    split = split_items([item(n, f"text {n}", "what?") for n in range(8)])
    assert (orders_of(split.fit), orders_of(split.tune), orders_of(split.held_back)) == ([0, 1, 2, 3], [4, 5], [6, 7])


@given(asked=st.lists(st.sampled_from(["a?", "b?", "c?", "d?"]), max_size=40), orders=st.randoms(use_true_random=False))
def test_no_request_is_on_two_sides_where_enough_have_their_own(asked, orders):
    contexts = [*asked, *[""] * max(4, len(asked))]
    orders.shuffle(contexts)
    made = [item(n, f"text {n}", context) for n, context in enumerate(contexts)]
    split = split_items(made)
    parts = (split.fit, split.tune, split.held_back)
    assert all(parts) and sorted((one for part in parts for one in part), key=lambda one: one.order) == made
    sides = [{one.context for one in part} - {""} for part in parts]
    assert sum(map(len, sides)) == len(set().union(*sides))
    assert len(split.held_back) <= max(1, round(len(made) / 4))


def test_empty_texts_teach_nothing():
    made = [item(i, "a text" if i % 2 else " \n") for i in range(8)]
    assert [i.order for i in split_items(made).learnable] == [1, 3, 5, 7]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("", 0.0),
        ("too short here", 0.0),
        ("one two three four five", 0.0),
        ("a b c d a b c d", 1 / 5),
        ("a a a a a a", 2 / 3),
        ("A b C d\na B c D", 1 / 5),
    ],
)
def test_repetition_by_hand(reply, expected):
    assert repetition(reply) == pytest.approx(expected)


def test_equal_replies_show_no_change():
    replies = ["one two three four five six", "a a a a a a", "short"]
    change = compare_replies(replies, replies, replies)
    assert (change.repetition_rise, change.length_change) == (0.0, 0.0)
    assert change.within_budget


def test_a_change_of_replies_by_hand():
    unsteered = ["a b c d a b c d", "e f g h e f g h"] * 10
    steered = ["a a a a a a a a a a a a", "e f g h e f g h i j k l"] * 10
    change = compare_replies(unsteered, unsteered, steered)
    before, after = 1 / 5, (8 / 9 + 1 / 9) / 2
    assert change.repetition_rise == pytest.approx((after - before) / before)
    assert change.length_change == pytest.approx((12 - 8) / 8)
    assert change.credible_length_change == pytest.approx(0.5)
    assert 0.1 < change.credible_repetition_rise <= change.repetition_rise
    assert not change.within_budget


def test_a_length_that_the_description_asks_for_is_no_harm_but_a_repetition_is():
    plain, described = ["one two three four five six seven eight"] * 10, ["aye aye aye aye aye aye"] * 10
    change = compare_replies(plain, described, described)
    assert (change.length_change, change.credible_length_change) == (-0.25, 0)
    assert change.credible_repetition_rise > 0.1 and not change.within_budget


@pytest.mark.parametrize(("words", "credible"), [(20, 0), (12, 0), (10, 0), (8, (8 - 10) / 10), (30, (30 - 20) / 20)])
def test_a_length_between_the_plain_and_the_described_one_is_no_harm(words, credible):
    plain, described, steered = (["aye " * count] * 6 for count in (20, 10, words))
    for one, other in ((plain, described), (described, plain)):
        assert compare_replies(one, other, steered).credible_length_change == pytest.approx(credible)


def test_in_a_script_without_blanks_each_character_is_a_word():
    assert compare_replies(["今天天气很好"], ["今天天气很好"], ["今天"]).length_change == pytest.approx((2 - 6) / 6)
    assert repetition("你好世界" * 2) == pytest.approx(1 / 5)


def test_chance_is_no_change():
    draw = random.Random(3)
    one, other = (["word " * draw.randint(10, 60) for _ in range(24)] for _ in range(2))
    change = compare_replies(one, one, other)
    assert abs(change.credible_length_change) <= abs(change.length_change)
    assert abs(change.credible_length_change) < 0.1


def test_examples_carry_weights_and_negatives(estimator, items):
    tokenizer = estimator.tokenizer
    effects = score_history(estimator, items, {}, lambda _: None, lambda _: None).effects
    rejected = replace(items[0], negative="a reply that was rejected")
    negatives = {i.id: "my own reply" for i in items}
    made = examples(tokenizer, [rejected, *items[1:]], effects, negatives, vetoed=["garden", "x"])
    assert len(made) == len(items) - 1, "the last item is nothing but a vetoed word"
    for source, example in zip([rejected, *items[1:]], made, strict=False):
        assert tokenizer.decode(example.text.text_ids) == source.text
        expected = "a reply that was rejected" if source is rejected else "my own reply"
        assert tokenizer.decode(example.negative.text_ids) == expected
        assert example.negative.prompt_ids == example.text.prompt_ids
        found = effects[source.id]
        for start, end, weight, full in zip(
            found.starts, found.ends, example.weights, token_weights(found.effects), strict=True
        ):
            at = source.text.find("garden")
            inside = at >= 0 and start < at + len("garden") and end > at
            assert weight == (0.0 if inside else full)


def test_vetoes_that_leave_nothing_are_said_in_words(estimator, items):
    effects = score_history(estimator, items, {}, lambda _: None, lambda _: None).effects
    with pytest.raises(TooFewItemsError, match="vetoes leave no word"):
        examples(estimator.tokenizer, items[-1:], effects, {}, vetoed=["garden", "x"])


def with_description(tokenizer, made: list[Example]) -> list[Example]:
    prompt = render_prompt(tokenizer, "hello", description_system("Say less."))
    return [replace(example, described=ScoredText(prompt, example.text.text_ids)) for example in made]


@pytest.mark.parametrize("name", BACKBONES)
def test_a_veto_of_a_phrase_or_an_item_changes_the_vector(estimator, items, name):
    effects = score_history(estimator, items, {}, lambda _: None, lambda _: None).effects
    replies = {i.id: "my own reply" for i in items}

    def vector(chosen, vetoed=()):
        made = with_description(estimator.tokenizer, examples(estimator.tokenizer, chosen, effects, replies, vetoed))
        (direction,) = BACKBONES[name].fit(estimator.network, made, [1]).values()
        return direction

    plain = vector(items)
    assert torch.equal(vector(items), plain)
    for changed in (vector(items, ["garden too"]), vector(items[1:])):
        assert torch.cosine_similarity(changed, plain, dim=0) < 0.9999
    assert torch.equal(vector(items, ["said by nobody"]), plain)


def test_a_mean_difference_needs_negatives_and_the_optimized_vector_none(estimator, items):
    effects = score_history(estimator, items, {}, lambda _: None, lambda _: None).effects
    made = with_description(estimator.tokenizer, examples(estimator.tokenizer, items[:2], effects, {}))
    assert [example.negative for example in made] == [None, None]
    for backbone in BACKBONES.values():
        if backbone.needs_negatives:
            with pytest.raises(ValueError, match="needs a negative"):
                backbone.fit(estimator.network, made, [1])
        else:
            assert backbone.fit(estimator.network, made, [1])[1].norm() > 0


def test_the_persons_own_words_are_always_part_of_what_is_measured(estimator, items):
    effects = score_history(estimator, items, {}, lambda _: None, lambda _: None).effects
    made = examples(estimator.tokenizer, items[:3], effects, {i.id: "my own reply" for i in items})
    neutral = NeutralReplies(("hello",) * 20, ("the garden is green",) * 20)
    choice = choose_settings(estimator, made, items[3:5], neutral, "Say less.", lambda _: None, own_words=True)
    assert choice.form in ("description", "both")


def test_a_long_text_is_learned_from_up_to_its_limit(estimator):
    long = item(0, "garden " * 300)
    effects = score_history(estimator, [long], {}, lambda _: None, lambda _: None).effects
    (made,) = examples(estimator.tokenizer, [long], effects, {"i0": "no"})
    assert len(made.text.text_ids) == len(made.weights) == LEARNED_TOKENS
    assert scored_text(estimator.tokenizer, long) == made.text


def test_own_replies_are_asked_for_where_there_is_no_negative(tiny_chat, tokenizer):
    made = [replace(item(0, "x", "hello"), negative="no"), item(1, "y", "hello"), item(2, "z")]
    counts: list[int] = []
    replies = own_replies(tiny_chat, tokenizer, made, counts.append)
    assert replies.keys() == {"i1", "i2"} and all(reply.strip() for reply in replies.values())
    assert counts == sorted(counts) and counts[-1] == len(made)
    assert own_replies(tiny_chat, tokenizer, made[:1], counts.append) == {}


def test_neutral_replies_are_drawn_as_the_steered_ones_they_are_held_against(tiny_chat):
    counts: list[int] = []
    neutral = neutral_replies(tiny_chat, (), counts.append)
    assert neutral.requests == load_neutral_set().prompts
    assert counts == sorted(counts) and counts[-1] == len(neutral.requests)
    judging = neutral.judging()
    assert list(judging.replies) == tiny_chat.replies(judging.requests, max_tokens=JUDGED_TOKENS)
    assert list(neutral.choosing().replies) == tiny_chat.replies(neutral.choosing().requests, max_tokens=JUDGED_TOKENS)
    few = neutral_replies(tiny_chat, (), counts.append, few=True)
    assert few.requests == neutral.choosing().requests and len(few.replies) == CHOOSING_REPLIES
    assert list(few.replies) == tiny_chat.replies(few.requests, max_tokens=REPLY_TOKENS)
    asked = len(counts)
    assert neutral_replies(tiny_chat, neutral.replies, counts.append) == neutral
    assert neutral_replies(tiny_chat, neutral.replies, counts.append, few=True) == neutral.choosing()
    assert len(counts) == asked, "what is known is not asked for again"


def test_a_neutral_reply_has_its_end_where_it_was_not_cut(tokenizer):
    replies = NeutralReplies(("hello", "hello", "hello"), ("garden " * JUDGED_TOKENS, " ", "the garden"))
    cut, ended = replies.to_their_ends(tokenizer, 7)
    assert len(cut.text_ids) >= JUDGED_TOKENS and 7 not in cut.text_ids
    assert ended.text_ids == (*tokenizer("the garden", add_special_tokens=False)["input_ids"], 7)


def test_of_a_long_neutral_reply_the_beginning_is_scored(tokenizer):
    long = NeutralReplies(("hello", "hello"), ("garden " * JUDGED_TOKENS, " "))
    (text,) = long.scored(tokenizer, "Be kind.")
    assert len(text.text_ids) == REPLY_TOKENS and text.prompt_ids == render_prompt(tokenizer, "hello", "Be kind.")
    assert long.scored(tokenizer, lambda request: f"Say {request}.")[0].prompt_ids == render_prompt(
        tokenizer, "hello", "Say hello."
    )
