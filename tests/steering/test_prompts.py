from __future__ import annotations

import copy
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings

from steering.prompts import (
    UNPROMPTED_REQUEST,
    description_system,
    end_of_turn,
    history_system,
    history_text,
    render_prompt,
    tokenize_text,
    well_formed,
)
from tests.steering.oracles import hard_text, is_bad
from tests.tiny_models import byte_characters

any_tokenizer = pytest.mark.parametrize(
    "which", ["tokenizer", pytest.param("bundled_tokenizer", marks=pytest.mark.bundled)]
)
shared = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
BYTES = {character: byte for byte, character in enumerate(byte_characters())}


def expected_spans(tokenizer, ids: tuple[int, ...], text: str) -> list[tuple[int, int]]:
    """Tokens lie one after the other, and a character belongs to the token that holds the first of its bytes."""
    pieces = [bytes(BYTES[c] for c in piece) for piece in tokenizer.convert_ids_to_tokens(list(ids))]
    assert b"".join(pieces) == text.encode()
    owners = [i for i, character in enumerate(text) for _ in character.encode()]
    spans, at, covered = [], 0, 0
    for piece in pieces:
        at += len(piece)
        spans.append((covered, owners[at - 1] + 1))
        covered = spans[-1][1]
    return spans


@any_tokenizer
@shared
@given(text=hard_text)
def test_offsets_give_back_the_text_without_gap_or_overlap(request, which, text):
    tokenizer = request.getfixturevalue(which)
    cleaned = well_formed(text)
    ids, spans = tokenize_text(tokenizer, cleaned)
    assert len(ids) == len(spans)
    assert "".join(cleaned[start:end] for start, end in spans) == cleaned
    assert all(end == start for (_, end), (start, _) in pairwise(spans))
    assert list(spans) == expected_spans(tokenizer, ids, cleaned)


@any_tokenizer
def test_no_character_is_left_without_a_token(request, which):
    tokenizer = request.getfixturevalue(which)
    for code in (*range(128), 0xD800, 0xDFFF, 0x1F600, 0x40000, 0xBFFFF, 0xE0067, 0x10FFFF):
        _, spans = tokenize_text(tokenizer, well_formed(chr(code)))
        assert spans and spans[0] == (0, 1), hex(code)


@any_tokenizer
def test_offsets_of_hard_texts(request, which):
    tokenizer = request.getfixturevalue(which)
    for text in (
        "👩‍👩‍👧‍👦 family",
        "e\u0301 cafe\u0301",
        "日本語です",
        "שלום עולם",
        "हिन्दी",
        "a\u202eb",
        "\ufeffbom",
        " \n\t x  ",
    ):
        ids, spans = tokenize_text(tokenizer, text)
        assert list(spans) == expected_spans(tokenizer, ids, text), text


@given(text=hard_text)
def test_well_formed_is_one_character_for_one(text):
    cleaned = well_formed(text)
    assert len(cleaned) == len(text)
    for before, after in zip(text, cleaned, strict=True):
        assert after == ("\N{REPLACEMENT CHARACTER}" if is_bad(before) else before)


def test_the_models_own_template_is_applied_once(tokenizer):
    found = tokenizer.decode(render_prompt(tokenizer, "What?", "Be kind."))
    assert found == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nWhat?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_without_a_request_a_text_is_asked_for(tokenizer):
    found = tokenizer.decode(render_prompt(tokenizer, ""))
    assert found == f"<|im_start|>user\n{UNPROMPTED_REQUEST}<|im_end|>\n<|im_start|>assistant\n"


def test_a_model_without_a_template_gets_the_plain_one(tokenizer):
    plain = copy.deepcopy(tokenizer)
    plain.chat_template = None
    assert plain.decode(render_prompt(plain, "What?", "Be kind.")) == (
        "<|im_start|>Be kind.\n\nUser: What?\n\nAssistant:"
    )
    assert plain.decode(render_prompt(plain, "What?")) == "<|im_start|>User: What?\n\nAssistant:"
    plain.bos_token = None
    assert plain.decode(render_prompt(plain, "What?")) == "User: What?\n\nAssistant:"


@any_tokenizer
def test_a_reply_ends_with_what_the_template_puts_after_it(request, which):
    tokenizer = request.getfixturevalue(which)
    assert tokenizer.decode([end_of_turn(tokenizer)]) == "<|im_end|>"


def test_a_template_without_a_special_token_after_a_reply_leaves_it_to_the_end_of_the_text(tokenizer):
    plain = copy.deepcopy(tokenizer)
    plain.chat_template, plain.eos_token = None, "<|im_end|>"
    assert end_of_turn(plain) == plain.convert_tokens_to_ids("<|im_end|>")
    plain.eos_token = None
    assert end_of_turn(plain) is None


def test_a_template_may_have_a_closing_token_other_than_the_end_of_the_text(tokenizer):
    other = copy.deepcopy(tokenizer)
    other.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }} <|im_start|>{% endfor %}"
    assert end_of_turn(other) == other.convert_tokens_to_ids("<|im_start|>")


def test_history_in_words():
    assert history_text([("Why?", "because"), ("", "a note")]) == "Request: Why?\nAnswer: because\n\nText: a note"
    assert "(none)" in history_system("")
    assert "Text: a note" in history_system("Text: a note") and "(none)" not in history_system("Text: a note")


@pytest.mark.parametrize("nothing", ["", "  ", "\n\t"])
def test_no_description_is_no_system_prompt(nothing):
    assert description_system(nothing) == ""


def test_a_description_stands_in_the_system_prompt_as_it_is():
    assert description_system("Lower case only.").endswith(" Lower case only.")
