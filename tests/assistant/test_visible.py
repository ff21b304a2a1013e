"""No text can be obeyed by a terminal or hide from an eye."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from assistant.visible import one_line, sanitise

HOSTILE = "\x1b[31mred?\x1b[0m \x9b2J \u202eevil\u202c zero\u200bwidth 👩‍👩‍👧"
ANY_TEXT = st.text(st.characters(exclude_categories=[]))
"""All of Unicode, surrogates included."""


@given(ANY_TEXT)
def test_no_control_or_format_character_survives(text: str) -> None:
    assert all(
        unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} or character in "\n\t\u200c\u200d"
        for character in sanitise(text)
    )


@given(ANY_TEXT)
def test_sanitising_twice_is_sanitising_once(text: str) -> None:
    assert sanitise(sanitise(text)) == sanitise(text)


@given(st.text(st.characters(categories=["L", "N", "P", "S", "M", "Zs"])))
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert sanitise(text) == text


@given(ANY_TEXT)
def test_the_result_can_be_written_out(text: str) -> None:
    sanitise(text).encode("utf-8")


@given(ANY_TEXT)
def test_every_visible_placeholder_tells_its_character(text: str) -> None:
    controls = [character for character in text if ord(character) < 0x20 and character not in "\r\n\t"]
    assert all(chr(0x2400 + ord(character)) in sanitise(text) for character in controls)


@given(ANY_TEXT, st.integers(min_value=1, max_value=80))
def test_one_line_is_one_line_of_that_width(text: str, width: int) -> None:
    line = one_line(text, width)
    assert len(line) <= width
    assert "\n" not in line


def test_escapes_bidi_and_zero_width_are_shown() -> None:
    shown = sanitise(HOSTILE)
    assert "␛[31mred" in shown
    assert "⟨U+009B⟩2J" in shown
    assert "⟨U+202E⟩evil" in shown
    assert "zero⟨U+200B⟩width" in shown
    assert "👩‍👩‍👧" in shown


def test_windows_line_ends_become_newlines_and_a_lone_return_is_shown() -> None:
    assert sanitise("a\r\nb\rc") == "a\nb␍c"
