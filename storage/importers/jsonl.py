"""JSON Lines: one object {"prompt": ..., "text": ...} a line; other fields are ignored."""

from __future__ import annotations

import json
from pathlib import Path

from storage.errors import InvalidImportError
from storage.importers.decoding import read_utf8
from storage.records import ImportedText
from storage.values import clean_text, display_path

SUFFIXES = (".jsonl", ".ndjson")


def read(path: Path) -> list[ImportedText]:
    """The texts of a JSON Lines file, in order; blank lines are skipped, lone surrogates become U+FFFD.

    Raises: InvalidImportError: naming the file and the line, and what to do.
    """
    # Only \n ends a line: U+2028 and the like may stand unescaped inside JSON strings.
    lines = enumerate(read_utf8(path).split("\n"), start=1)
    texts = [_parse(line, path, number) for number, line in lines if line.strip()]
    if not texts:
        raise InvalidImportError(f"{display_path(path)}: is empty; give a file with one JSON object a line")
    return texts


def _parse(line: str, path: Path, number: int) -> ImportedText:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise _invalid(path, number, f"is not JSON ({error.msg}, column {error.colno})") from error
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond what Python reads
        raise _invalid(path, number, "holds JSON too large or too deep to read") from error
    if not isinstance(entry, dict):
        raise _invalid(path, number, "is not a JSON object")
    text, prompt = entry.get("text"), entry.get("prompt")
    if not isinstance(text, str) or not text.strip():
        raise _invalid(path, number, 'has no "text", or one that is empty or not a string')
    if "prompt" not in entry:
        raise _invalid(path, number, 'has no "prompt" (an empty one where nobody asked)')
    if prompt is not None and not isinstance(prompt, str):
        raise _invalid(path, number, 'has a "prompt" that is not a string')
    return ImportedText(prompt=clean_text(prompt or ""), text=clean_text(text), line=number)


def _invalid(path: Path, number: int, what: str) -> InvalidImportError:
    return InvalidImportError(
        f'{display_path(path)}, line {number}: {what}; write each line like {{"prompt": "…", "text": "…"}}'
    )
