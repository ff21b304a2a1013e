"""What harm is measured on, from a folder of public test sets, where the person names one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assistant.errors import AssistantError
from assistant.evaluation.protocol import Choice

TEXTS, QUESTIONS = 40, 60
"""As many as the program's own: each is read for every method of every person."""


def read_damage(folder: Path) -> tuple[tuple[str, ...], tuple[Choice, ...]]:
    """Texts of the lines of kind `perplexity`, questions of those of `multiple_choice` with four choices.

    All `.jsonl` files of the folder, in the order of their names; an even share of TEXTS and QUESTIONS of each file.

    Raises: AssistantError: the folder cannot be read, or has neither.
    """
    try:
        files = [list(_lines(path)) for path in sorted(folder.glob("*.jsonl"))]
    except (OSError, ValueError) as error:
        raise AssistantError(f"{folder}: cannot be read ({error})") from error
    texts = _spread([[row["text"] for row in rows if _is_text(row)] for rows in files], TEXTS)
    questions = _spread([[_choice(row) for row in rows if _is_question(row)] for rows in files], QUESTIONS)
    if not texts or not questions:
        raise AssistantError(f'{folder}: has no lines of kind "perplexity", or none of "multiple_choice"')
    return tuple(texts), tuple(questions)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line) if line.strip() else None
        if isinstance(row, dict):
            yield row


def _is_text(row: dict[str, Any]) -> bool:
    return row.get("kind") == "perplexity" and isinstance(row.get("text"), str)


def _is_question(row: dict[str, Any]) -> bool:
    choices = row.get("choices")
    return row.get("kind") == "multiple_choice" and isinstance(choices, list) and len(choices) == 4


def _choice(row: dict[str, Any]) -> Choice:
    first, second, third, fourth = map(str, row["choices"])
    return Choice(str(row["question"]), (first, second, third, fourth), int(row["answer"]))


def _spread(files: list[list[Any]], count: int) -> list[Any]:
    """An even share of each file that has any, taken at even distances."""
    full = [rows for rows in files if rows]
    share = max(1, count // len(full)) if full else 0
    return [row for rows in full for row in rows[:: max(1, len(rows) // share)][:share]]
