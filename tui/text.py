"""Text of models and people as widgets take it."""

from __future__ import annotations

from textual.content import Content

from assistant.visible import sanitise


def literal(text: str, style: str = "") -> Content:
    """Text as it is: sanitised, and never parsed as markup."""
    return Content.styled(sanitise(text), style) if style else Content(sanitise(text))
