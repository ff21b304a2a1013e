"""Which parts of a text are its sender's own: what is planted is found, what is theirs stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.word_count import count_words
from steering.own_text import LONG_QUOTATION_WORDS, OwnText, Reason, own_text

LONG = " ".join(f"strange{i}" for i in range(LONG_QUOTATION_WORDS))
HEADERS = "From: Ada Byron <ada@example.org>\nDate: Monday\nSubject: Numbers\nTo: me\n"
OWN = st.lists(st.text("abcdefg ,.!?", min_size=1).map(lambda s: f"mine {s.strip()}".strip()), min_size=1, max_size=4)
PASSAGES = {
    Reason.QUOTATION: ["> strange words\n>and more\n\n> still", f"“{LONG}”", f'"{LONG}"', f"«{LONG}»", f"„{LONG}“"],
    Reason.CODE: [
        "```python\nstrange = 1\n> no quotation\n```",
        "~~~\nstrange\n```\nstrange\n~~~~",
        "````\n```\nstrange\n````",
    ],
    Reason.DOCUMENT: ["<article>\nstrange\n\nstrange\n</article>", '<doc id="7">\n<b>strange</b>\n</doc>'],
}
PLANTED = [(reason, passage) for reason, passages in PASSAGES.items() for passage in passages]
NO_PASSAGE = [
    "Just a question about bread?",
    'She said "no" and left; “quite so” he answered.',
    ">:( that is not nice",
    "->see below",
    "a > b, and b > c\n4 > 3",
    "To: be or not to be\nthat is the question",
    "Dear Ann,\n\nfrom: me\nto: you\n\nBest",
    "Use `git status` first, then ``this``.",
    "1 <br> 2\n<hr>\nno document",
    'My 5" screen and your 7" screen ' + "are not the same " * 20,
    "",
    "A heading\n~~~~~~~~~\nwords\n\nAnother heading\n~~~~~~~~~~~~~~~\nmore words",
    " \n spaces stay as they are \n\n\n\n so do lines \n",
]


@pytest.mark.parametrize("text", NO_PASSAGE)
def test_what_has_no_passage_stays_as_it_is(text):
    assert own_text(text).text == text and own_text(text).left_out == ()


@given(paragraphs=OWN, planted=st.lists(st.tuples(st.sampled_from(PLANTED), st.integers(0, 4)), min_size=1, max_size=4))
def test_planted_passages_are_left_out_and_own_paragraphs_kept(paragraphs, planted):
    parts = list(paragraphs)
    for (_, passage), place in planted:
        parts.insert(place, passage)
    found = own_text("\n\n".join(parts))
    assert found.text == "\n\n".join(paragraphs)
    assert {p.reason for p in found.left_out} == {reason for (reason, _), _ in planted}


@given(
    paragraphs=OWN,
    marker=st.sampled_from(["", "---------- Forwarded message ---------\n", "Begin forwarded message:\n\n"]),
)
def test_a_forwarded_mail_goes_to_the_end(paragraphs, marker):
    found = own_text("\n\n".join([*paragraphs, f"{marker}{HEADERS}\nstrange\n\nstrange text"]))
    assert found.text == "\n\n".join(paragraphs)
    assert [p.reason for p in found.left_out] == [Reason.MAIL]


def test_a_fence_that_is_not_closed_goes_to_the_end():
    assert own_text("why?\n```\nTraceback\n\nError").text == "why?"


def test_code_in_a_list_ends_where_its_fence_does():
    text = "My steps:\n- ```bash\n  make all\n  ```\n- then I look\n\n10. Or:\n    ```\n    make\n    ```\n\nI do."
    found = own_text(text)
    assert found.text == "My steps:\n\n- then I look\n\n10. Or:\n\nI do."
    assert [passage.reason for passage in found.left_out] == [Reason.CODE, Reason.CODE]


def test_guillemets_in_either_direction():
    long = " ".join(f"w{number}" for number in range(45))
    assert own_text(f"Er sagte »ja« und {long}, dann »nein« und ging.").left_out == ()
    for quoted in (f"»{long}»".replace("»", "«", 1), f"»{long}«", f"« {long} »"):
        assert [one.reason for one in own_text(f"Im Buch: {quoted} so.").left_out] == [Reason.QUOTATION]


CHINESE, JAPANESE = "书上的话写得很长" * 5, "本に書いてあること" * 5


@pytest.mark.parametrize(
    "quoted",
    [
        f"“{CHINESE}”",
        f"「{JAPANESE}」",
        f"『{JAPANESE}』",
        f"「{JAPANESE}『と』言う」",
        f"“{'ข้อความ' * 6}”",
        f"> {CHINESE}",
        f">「{CHINESE}」",
    ],
)
def test_quotations_in_scripts_without_blanks_are_told_as_others_are(quoted):
    found = own_text(f"我自己写的。\n{quoted}\n这也是我的。")
    assert found.text.split() == ["我自己写的。", "这也是我的。"]
    (passage,) = found.left_out
    assert passage.reason is Reason.QUOTATION
    assert passage.begins and passage.begins in quoted and len(passage.begins) < 20


@given(st.text(st.characters(min_codepoint=0x20), max_size=200))
def test_words_are_those_that_the_program_counts_elsewhere(text):
    found = own_text(text, [(0, len(text))] if text else [])
    assert sum(passage.words for passage in found.left_out) == count_words(text)
    assert all(count_words(passage.begins) == min(passage.words, 12) for passage in found.left_out)


def test_short_quotations_in_scripts_without_blanks_stay():
    for text in (
        "他说“好的”就走了。",
        "彼は「はい」と言った。『本』を読む。",
        f"「{JAPANESE[:30]}」と{JAPANESE}",
        "「開いたまま" + JAPANESE,
    ):
        assert own_text(text) == OwnText(text, ())


def test_an_answer_between_quoted_lines_is_the_senders():
    text = "On Mon, 3 Mar 2025 at 10:12, Ada <ada@example.org> wrote:\n> When?\nAt noon.\n\n> Where?\nHere."
    assert own_text(text).text == "At noon.\n\nHere."
    assert own_text("I do not agree with this:\n> When?\nno").text == "I do not agree with this:\n\nno"


def planted(parts: list[tuple[str, bool]]) -> tuple[str, list[tuple[int, int]]]:
    """A text of parts on lines of their own, and where those are that were pasted."""
    text, stretches = "", []
    for part, is_pasted in parts:
        start = len(text)
        text += part
        if is_pasted:
            stretches.append((start, len(text)))
        text += "\n\n"
    return text.rstrip("\n"), stretches


def test_what_was_pasted_is_left_out_without_any_mark():
    text, stretches = planted([("Sum this up:", False), (LONG, True), ("Shortly, please.", False)])
    found = own_text(text, stretches)
    assert found.text == "Sum this up:\n\nShortly, please."
    (passage,) = found.left_out
    assert (passage.reason, passage.words) == (Reason.PASTED, LONG_QUOTATION_WORDS)
    assert (passage.start, passage.end) == stretches[0]
    assert passage.begins == " ".join(LONG.split()[:12])


@pytest.mark.parametrize("inside", ["```\nopened", "<doc>", HEADERS, "> quoted", "“opened"])
def test_marks_in_what_was_pasted_say_nothing_of_what_follows(inside):
    text, stretches = planted([("mine", False), (f"{LONG}\n{inside}", True), ("mine too\n</doc>”", False)])
    found = own_text(text, stretches)
    assert found.text == "mine\n\nmine too\n</doc>”"
    assert [passage.reason for passage in found.left_out] == [Reason.PASTED]


@pytest.mark.parametrize(("before", "after"), [("```", "```"), ("<doc>", "</doc>"), ("> so", "> on")])
def test_what_was_pasted_within_marks_is_one_passage_with_them(before, after):
    text = f"mine\n{before}\n{LONG}\n{after}\nmine too"
    start = text.index(LONG)
    found = own_text(text, [(start, start + len(LONG))])
    assert found.text.split() == ["mine", "mine", "too"]
    assert sum(passage.words for passage in found.left_out) == len(f"{before} {LONG} {after}".split())


def test_a_text_that_was_pasted_whole_leaves_nothing():
    assert own_text(LONG, [(0, len(LONG))]).text == ""


ANY = st.text(alphabet='ab \n>`~<>/"“”„«»:.\r\t@1-', max_size=300) | st.text(max_size=80)


@given(ANY)
def test_passages_are_apart_in_order_and_within_the_text(text):
    found = own_text(text)
    place = 0
    for passage in found.left_out:
        assert place <= passage.start < passage.end <= len(text)
        place = passage.end
    if not found.left_out:
        assert found.text == text


@given(ANY)
def test_every_word_of_the_rest_was_in_the_text_in_that_order(text):
    words = iter(text.split())
    assert all(any(kept in word for word in words) for kept in own_text(text).text.split())


@given(ANY, st.lists(st.integers(0, 300), max_size=8, unique=True))
def test_nothing_that_was_pasted_is_kept_and_nothing_is_left_out_twice(text, bounds):
    inside = sorted(bound for bound in bounds if bound <= len(text))
    stretches = list(zip(inside[::2], inside[1::2], strict=False))
    found = own_text(text, stretches)
    out = bytearray(len(text))
    for passage in found.left_out:
        assert not any(out[passage.start : passage.end])
        out[passage.start : passage.end] = b"\1" * (passage.end - passage.start)
    assert all(out[place] for start, end in stretches for place in range(start, end))
    kept = "".join(character for character, gone in zip(text, out, strict=True) if not gone)
    assert "".join(found.text.split()) == "".join(kept.split())


PIECES = ["> a\n", "```\n", "<a>\n", "“", '" "', "\n", "From: a\n", "<a>\n</b>\n", "a:\n", "--\n"]


@pytest.mark.parametrize("piece", PIECES)
def test_a_hostile_text_of_a_megabyte_is_read_to_its_end(piece):
    """What took time in proportion to the square of the length would not end before the suite gives up."""
    text = piece * (2**20 // len(piece))
    found = own_text(f"mine first\n\n{text}")
    assert found.text.startswith("mine first")
    assert sum(p.end - p.start for p in found.left_out) <= len(text)
