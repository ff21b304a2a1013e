"""Text of models and people, made safe to show: what a terminal or an eye would obey becomes visible."""

from __future__ import annotations

import unicodedata

_CONTROL_PICTURES = 0x2400
_DELETE = 0x7F
_KEPT = frozenset("\n\t\u200c\u200d")
"""Newline and tab lay out text; the two joiners are part of many scripts and of emoji."""
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def sanitise(text: str) -> str:
    """Replace control, format (bidi, zero-width, tags) and surrogate characters by visible placeholders.

    Newlines, tabs and joiners stay; a carriage return before a newline goes. The result is safe to write to a
    terminal, and sanitising it again changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(c) if _is_hidden(c) else c for c in text.replace("\r\n", "\n"))


def one_line(text: str, width: int) -> str:
    """The beginning of a text on one line, sanitised, cut to `width` characters with an ellipsis."""
    flat = " ".join(sanitise(text[: width * 8]).split())
    return flat if len(flat) <= width else flat[: max(0, width - 1)].rstrip() + "…"


def _is_hidden(character: str) -> bool:
    return character not in _KEPT and unicodedata.category(character) in _HIDDEN


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    return "\u2421" if code == _DELETE else f"⟨U+{code:04X}⟩"
