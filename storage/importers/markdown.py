"""What other programs keep apart, as Markdown in one text."""

from __future__ import annotations


def fenced(text: str, language: str) -> str:
    """Code in a fence longer than any in it; empty where there is none."""
    if not text:
        return ""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
