"""The person's texts that are most like a request, for a system prompt: the baseline that needs no learning."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from steering.effects.history import history_slot
from steering.items import PreferenceItem
from steering.prompts import history_system, tokenize_text


class Retrieval:
    """BM25 (bm25s, Lucene's variant) over requests and texts of a history."""

    def __init__(self, history: Sequence[PreferenceItem], tokenizer: Any, budget: int) -> None:
        """`budget` are the tokens that the texts in a prompt may have together."""
        self._bm25: Any = import_module("bm25s")  # of an extra, and untyped
        self._history, self._tokenizer, self._budget = history, tokenizer, budget
        self._index = self._bm25.BM25()
        self._index.index(self._words([f"{item.context} {item.text}" for item in history]), show_progress=False)

    def system(self, request: str) -> str:
        """The system prompt for a request: the most similar texts that fit, oldest first; one at least."""
        (words,) = self._words([request])
        scores = self._index.get_scores(words) if words else [0.0] * len(self._history)
        # Of texts that are equally similar the newest goes first.
        ranked = sorted(zip(scores, self._history, strict=True), key=lambda pair: (-pair[0], -pair[1].order))
        chosen = [ranked[0][1]]
        for _, item in ranked[1:]:
            more = sorted((*chosen, item), key=lambda one: one.order)
            if len(tokenize_text(self._tokenizer, history_slot(more, self._tokenizer))[0]) > self._budget:
                break
            chosen = more
        return history_system(history_slot(chosen, self._tokenizer))

    def _words(self, texts: Sequence[str]) -> list[list[str]]:
        found: list[list[str]] = self._bm25.tokenize(texts, stopwords=None, return_ids=False, show_progress=False)
        return found
