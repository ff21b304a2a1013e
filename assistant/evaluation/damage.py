"""What harm is measured on, from a folder of public test sets, where the person names one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assistant.errors import AssistantError
from assistant.evaluation.protocol import Choice
from steering.evaluation.lines import LeftOutLine, UnusableError, json_object, numbered_lines, text_field

TEXTS, QUESTIONS = 40, 60
"""As many as the program's own: each is read for every method of every person."""


def read_damage(folder: Path) -> tuple[tuple[str, ...], tuple[Choice, ...], list[tuple[str, LeftOutLine]]]:
    """Texts of the lines of kind `perplexity`, questions of those of `multiple_choice` with four choices; then the
    lines that cannot be used, with the name of their file.

    All `.jsonl` files of the folder, in the order of their names; an even share of TEXTS and QUESTIONS of each file.
    Lines of another kind or with another number of choices are passed over.

    Raises: AssistantError: the folder cannot be read, or has neither.
    """
    left_out: list[tuple[str, LeftOutLine]] = []
    try:
        files = [_lines(path, left_out) for path in sorted(folder.glob("*.jsonl"))]
    except OSError as error:
        raise AssistantError(f"{folder}: cannot be read ({error})") from error
    texts = _spread([[found for found in own if isinstance(found, str)] for own in files], TEXTS)
    questions = _spread([[found for found in own if isinstance(found, Choice)] for own in files], QUESTIONS)
    if not texts or not questions:
        raise AssistantError(
            f'{folder}: has no lines of kind "perplexity", or none of "multiple_choice"{_bad(left_out)}'
        )
    return tuple(texts), tuple(questions), left_out


def _bad(left_out: list[tuple[str, LeftOutLine]]) -> str:
    """The first of the lines that cannot be used, which may be why there are no others."""
    return "".join(f"; {file}, line {one.line}: {one.why}" for file, one in left_out[:1])


def _lines(path: Path, left_out: list[tuple[str, LeftOutLine]]) -> list[str | Choice]:
    """The texts and questions of a file; what cannot be used is added to `left_out`."""
    found: list[str | Choice] = []
    for number, line in numbered_lines(path.read_bytes()):
        try:
            read = _read(json_object(line))
        except UnusableError as error:
            left_out.append((path.name, LeftOutLine(number, str(error))))
            continue
        if read is not None:
            found.append(read)
    return found


def _read(row: dict[str, Any]) -> str | Choice | None:
    """What a line holds; None for what is of another kind."""
    choices = row.get("choices")
    if row.get("kind") == "perplexity":
        text = text_field(row, "text")
        if not text.strip():
            raise UnusableError("its text is empty")
        return text
    if row.get("kind") == "multiple_choice" and isinstance(choices, list) and len(choices) == 4:
        return _choice(row, choices)
    return None


def _choice(row: dict[str, Any], choices: list[Any]) -> Choice:
    question, answer = text_field(row, "question"), row.get("answer")
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < len(choices):
        raise UnusableError('"answer" is not the place of a choice, from 0 on')
    first, second, third, fourth = map(str, choices)
    return Choice(question, (first, second, third, fourth), answer)


def _spread(files: list[list[Any]], count: int) -> list[Any]:
    """An even share of each file that has any, taken at even distances."""
    full = [rows for rows in files if rows]
    share = max(1, count // len(full)) if full else 0
    return [row for rows in full for row in rows[:: max(1, len(rows) // share)][:share]]
