"""Markdown of models: how it is read, and the code in it."""

from __future__ import annotations

from dataclasses import dataclass

from markdown_it import MarkdownIt


@dataclass(frozen=True, slots=True)
class Code:
    """A fenced block: what language it says it is in, and its text."""

    language: str
    text: str


def parser() -> MarkdownIt:
    """Markdown in which HTML is text: nothing that a model writes may vanish."""
    return MarkdownIt("gfm-like", {"html": False})


def has_code(text: str) -> bool:
    """Whether there may be fenced blocks in a text; never says no where there are."""
    return "```" in text or "~~~" in text


def code_blocks(text: str) -> list[Code]:
    """The fenced blocks of a text, in their order; one that is not closed goes to the end."""
    if not has_code(text):
        return []
    fences = [token for token in parser().parse(text) if token.type == "fence"]
    return [Code(language_of(token.info), token.content.rstrip("\n")) for token in fences]


def language_of(info: str) -> str:
    """The first word after the fence."""
    return info.split(maxsplit=1)[0] if info.strip() else ""
