"""How many tokens each part of a sequence may have, so that all of it fits into the estimator's context."""

from __future__ import annotations

from dataclasses import dataclass

from steering.errors import EstimatorError
from steering.models.batches import ScoredText

MAX_TEXT_TOKENS = 2048
"""Tokens of one text that are scored, about three pages; the rest is left out and counted."""
MAX_WINDOW_TOKENS = 512
"""Tokens of a text that are read in one piece."""
MAX_HISTORY_TOKENS = 600
MAX_REQUEST_TOKENS = 256
MIN_CONTEXT = 512
"""A shorter context has no room for a request, a text, and a history of one item at least."""
_MIN_WINDOW = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """Tokens of the whole context (None: unlimited), of the history in a prompt and of the request."""

    context: int | None
    history: int
    request: int


def limits_of(context: int | None) -> Limits:
    """The limits of a model: a short context is shared out among history, request and text.

    Raises: EstimatorError: a context shorter than MIN_CONTEXT.
    """
    if context is None:
        return Limits(None, MAX_HISTORY_TOKENS, MAX_REQUEST_TOKENS)
    if context < MIN_CONTEXT:
        raise EstimatorError(
            f"a context of {context} tokens is too short to learn from texts, {MIN_CONTEXT} are needed; "
            "choose another model"
        )
    return Limits(context, min(MAX_HISTORY_TOKENS, context * 3 // 10), min(MAX_REQUEST_TOKENS, context // 8))


def windows(prompt_ids: tuple[int, ...], text_ids: tuple[int, ...], context: int | None) -> list[ScoredText]:
    """A text cut into windows that fit, each token of it scored in exactly one of them.

    Every window follows the whole prompt. From the second on its first half repeats what comes before it in the text
    and is not scored, so that no token is predicted from the prompt alone but the first.

    Raises: EstimatorError: the prompt leaves no room for a text.
    """
    room = MAX_WINDOW_TOKENS if context is None else min(MAX_WINDOW_TOKENS, context - len(prompt_ids))
    if room < _MIN_WINDOW:
        raise EstimatorError(
            f"a prompt of {len(prompt_ids)} tokens leaves no room in a context of {context}; choose another model"
        )
    cut = [ScoredText(prompt_ids, text_ids[:room])]
    for start in range(room, len(text_ids), room - room // 2):
        repeated = text_ids[start - room // 2 : start]
        cut.append(ScoredText(prompt_ids + repeated, text_ids[start : start + room - room // 2]))
    return cut
