"""Text of models and people, made safe to show: what a terminal or an eye would obey becomes visible."""

from __future__ import annotations

import re
import unicodedata

from textual.content import Content

CONTROL_PICTURES = 0x2400
DELETE = 0x7F
KEPT = frozenset("\n\t\u200c\u200d")
"""Newline and tab lay out text; the two joiners are part of many scripts and of emoji."""


SUSPECT = re.compile(r"[^\n\t\x20-\x7e]")
"""Everything that has to be looked up; most text has little of it."""


def _shown(match: re.Match[str]) -> str:
    character = match[0]
    if not _is_hidden(character):
        return character
    code = ord(character)
    if code < 0x20:
        return chr(CONTROL_PICTURES + code)
    if code == DELETE:
        return "\u2421"
    return f"⟨U+{code:04X}⟩"


def _is_hidden(character: str) -> bool:
    return character not in KEPT and unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def sanitise(text: str) -> str:
    """Replace control, format (bidi, zero-width, tags) and surrogate characters by visible placeholders.

    Newlines, tabs and joiners stay; a carriage return before a newline goes. The result is safe to write to a
    terminal, and sanitising it again changes nothing.
    """
    return SUSPECT.sub(_shown, text.replace("\r\n", "\n"))


def literal(text: str, style: str = "") -> Content:
    """Text as it is: sanitised, and never parsed as markup."""
    return Content.styled(sanitise(text), style) if style else Content(sanitise(text))


def one_line(text: str, width: int) -> str:
    """The beginning of a text on one line, sanitised, cut to `width` characters with an ellipsis."""
    flat = " ".join(sanitise(text[: width * 8]).split())
    return flat if len(flat) <= width else flat[: max(0, width - 1)].rstrip() + "…"
