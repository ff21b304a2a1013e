"""The history -> files for others: one module a format, each a pure function from entries to pieces of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from storage.entries import Entry
from storage.exporters import complete, jsonl, markdown

__all__ = ["FORMATS", "Writer"]

Writer = Callable[[Iterable[Entry]], Iterator[str]]

FORMATS: Mapping[str, Writer] = {"json": complete.pieces, "markdown": markdown.pieces, "jsonl": jsonl.pieces}
"""The writer of each format; a new format is a module with `pieces` and a line here."""
