"""What was pasted is found again in what is sent, however that was edited, and nothing else is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.history.pastes import LONG_PASTE_WORDS, RUN, Pastes
from steering.own_text import LONG_QUOTATION_WORDS

DOCUMENT = "\n".join(" ".join(f"strange{line}x{word}" for word in range(10)) for line in range(8))
LINES = DOCUMENT.split("\n")
PART = " ".join(LINES[0].split() * 2)


def left(text: str, *pasted: str) -> str:
    """The text without what is found to be pasted, on one line."""
    pastes = Pastes()
    for one in pasted:
        pastes.pasted(one, into="")
    return " ".join(without(text, pastes.stretches(text)).split())


def without(text: str, stretches) -> str:
    for start, end in reversed(stretches):
        text = text[:start] + text[end:]
    return text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (DOCUMENT, ""),
        (f"Sum this up:\n\n{DOCUMENT}\n\nIn three lines, please.", "Sum this up: In three lines, please."),
        (f"Look:{DOCUMENT}ok?", "Look: strange7x9ok?"),
        (f'He said "{DOCUMENT}" and left.', 'He said "" and left.'),
        (
            "\n\n".join(f"{line}\n\nagreed {n}" for n, line in enumerate(LINES)),
            " ".join(f"agreed {n}" for n in range(8)),
        ),
        (DOCUMENT.replace("\n", "\r\n    "), ""),
        (DOCUMENT.replace("strange3x4", "familiar"), "familiar"),
        ("\n".join([*LINES[4:], "and before that", *LINES[:4]]), "and before that"),
        ("\n".join(LINES[:4]), ""),
        ("\n".join(LINES[:3]), "\n".join(LINES[:3]).replace("\n", " ")),
        ("nothing of it " * 30, ("nothing of it " * 30).strip()),
        ("", ""),
    ],
)
def test_what_is_left_is_what_was_typed(text, rest):
    assert left(text, DOCUMENT) == rest


def test_marks_around_a_paste_that_came_with_it_go_with_it():
    pasted = f"- **{DOCUMENT}**!\n-----"
    assert left(f"so\n{pasted}\nhm", pasted) == "so hm"


def test_a_short_paste_is_a_way_of_typing():
    short = " ".join(DOCUMENT.split()[: LONG_PASTE_WORDS - 1])
    assert left(f"{short} {short}", short, short) == f"{short} {short}"
    assert left("/home/ada/notes/" * 60, "/home/ada/notes/" * 60) == "/home/ada/notes/" * 60


def test_scripts_without_blanks_are_measured_by_their_characters():
    pasted = (
        "本文は三日前に書かれたものであり、その内容については誰も責任を負わない。読者は自分で判断しなければならない。"
    )
    assert left(f"これは何？{pasted}", pasted) == "これは何？"
    assert left(f"これは何？{pasted[:20]}", pasted[:20]) == f"これは何？{pasted[:20]}"


def test_what_is_cut_or_copied_in_the_prompt_and_pasted_there_is_not_foreign():
    own = " ".join(f"mine{n}" for n in range(60))
    pastes = Pastes()
    pastes.removed(f"first {own} last")
    pastes.pasted(own.replace(" ", "\r\n"), into="")
    pastes.pasted(own, into=f"it says {own} already")
    assert pastes.stretches(own) == ()
    pastes.removed("a key at a time")
    pastes.pasted(f"{own} and more", into="")
    assert pastes.stretches(own), "not the same: it comes from elsewhere"


def test_what_was_pasted_cut_and_pasted_again_stays_foreign():
    pastes = Pastes()
    pastes.pasted(DOCUMENT, into="")
    pastes.removed(DOCUMENT)
    pastes.pasted(DOCUMENT, into="")
    assert pastes.stretches(DOCUMENT) == ((0, len(DOCUMENT)),)


def test_parts_that_are_known_to_be_pasted_are_remembered_however_short():
    pastes = Pastes()
    pastes.remember(*LINES)
    assert pastes.stretches("\n\nyes\n\n".join(LINES))
    assert pastes.stretches(LINES[0]) == ()


def test_the_oldest_goes_where_there_is_too_much_and_the_last_stays_whole(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("assistant.history.pastes.MOST_RUNS", 300)
    small, large = (" ".join(f"{name}{n}" for n in range(size)) for name, size in (("s", 150), ("l", 2000)))
    pastes = Pastes()
    for one in (DOCUMENT, small, DOCUMENT):
        pastes.pasted(one, into="")
        assert pastes.stretches(one) == ((0, len(one)),)
    pastes.pasted(" ".join(f"more{n}" for n in range(150)), into="")
    assert pastes.stretches(DOCUMENT), "it was pasted anew meanwhile"
    assert pastes.stretches(small) != ((0, len(small)),)
    pastes.pasted(large, into="")
    assert pastes.stretches(DOCUMENT) == ()
    assert pastes.stretches(large) == ((0, len(large)),)


WORDS = st.lists(
    st.sampled_from([*"abc", "don't", "日本", "ok.", "--", "x_1", "ärger!", "“so”", "🎉", "a\u0301"]), max_size=80
)
TEXTS = st.builds(lambda words, between: between.join(words), WORDS, st.sampled_from([" ", "\n", "\t ", ""]))


@given(typed=TEXTS, pasted=st.lists(TEXTS, max_size=3), cut=st.integers(0, 200), after=TEXTS)
def test_stretches_are_apart_in_order_and_hold_only_what_was_pasted(typed, pasted, cut, after):
    """What may be found: runs of words and marks that stand so in a paste; the oracle looks for them as text."""
    pastes = Pastes()
    for one in pasted:
        pastes.remember(one)
    text = " ".join([typed, *(one[cut:] for one in pasted), after])
    found = pastes.stretches(text)
    place = 0
    flat = ["".join(one.split()) for one in pasted]
    for start, end in found:
        assert place <= start < end <= len(text)
        place = end
        part = text[start:end]
        assert part == part.strip()
        words = re.findall(r"\w+|[^\w\s]", part)
        assert len("".join(words)) == len("".join(part.split()))
        assert all(any(word in one for one in flat) for word in words)
    whole = sum(len(text[start:end]) for start, end in found)
    assert not found or whole >= LONG_PASTE_WORDS


@given(before=TEXTS, after=TEXTS)
def test_a_document_that_was_pasted_whole_is_found_whole(before, after):
    pastes = Pastes()
    pastes.pasted(DOCUMENT, into="")
    text = f"{before}\n{DOCUMENT}\n{after}"
    start = len(before) + 1
    assert pastes.stretches(text) == ((start, start + len(DOCUMENT)),)


def test_few_words_in_a_row_are_anybodys():
    phrase = LINES[0].split()
    assert left(f"{DOCUMENT}\n\nI said {' '.join(phrase[: RUN - 1])} myself", DOCUMENT).endswith("strange0x4 myself")


def test_a_paste_is_as_long_as_a_quotation_before_it_is_left_out() -> None:
    assert LONG_PASTE_WORDS == LONG_QUOTATION_WORDS
