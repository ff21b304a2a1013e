"""JSON Lines. Each line is one of three objects, other fields are ignored:

{"prompt": ..., "text": ...}                          a text of the person's own
{"messages": [{"role": ..., "content": ...}, ...]}    a conversation, with "id" and "title" if it has them
{"role": ..., "content": ...}                         a message; all such lines together are one conversation
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.entries import Entry, ParsedConversation, ReadOptions, Skipped
from storage.errors import InvalidImportError
from storage.importers.files import MAX_TEXT, reading
from storage.importers.tree import Node, messages_of
from storage.importers.values import digest, id_of, mapping_of, moment_of, text_of, title_from
from storage.records import ImportedText, MessageRole
from storage.values import clean_text, display_path

SOURCE = "messages"
SUFFIXES = (".jsonl", ".ndjson")

_EXPECTED = 'write each line like {"prompt": "…", "text": "…"} or {"messages": [{"role": "user", "content": "…"}, …]}'
_ROLES: Mapping[Any, MessageRole] = {"user": "user", "assistant": "assistant"}
_OTHERS = "messages of other roles (system, tool)"


def read(path: Path, options: ReadOptions) -> Iterator[Entry]:
    """The entries of a JSON Lines file, in order; blank lines are skipped, lone surrogates become U+FFFD.

    Raises: InvalidImportError: naming the file and the line, and what to do.
    """
    empty = True
    loose: list[tuple[int, Mapping[str, Any]]] = []
    for number, line in _lines(path):
        entry = _parse(line, path, number)
        if "role" in entry and "content" in entry:
            loose.append((number, entry))
        elif isinstance(entry.get("messages"), list):
            yield from _conversation(entry, entry["messages"])
        else:
            yield _own_text(entry, path, number)
        empty = False
    if empty:
        raise InvalidImportError(f"{display_path(path)}: is empty; give a file with one JSON object a line")
    if loose:
        yield from _conversation({}, [entry for _, entry in loose])


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    # Only \n ends a line: U+2028 and the like may stand unescaped inside JSON strings.
    with reading(path) as stream:
        for number, data in enumerate(iter(lambda: stream.readline(MAX_TEXT + 1), b""), start=1):
            if len(data) > MAX_TEXT:
                raise _invalid(path, number, f"is longer than {MAX_TEXT >> 20} MiB")
            if number == 1 and data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise InvalidImportError(f"{display_path(path)}: is UTF-16; save it as UTF-8 and import it again")
            if b"\0" in data:
                raise _invalid(path, number, "holds NUL bytes, so it is not text")
            try:
                line = data.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise _invalid(path, number, "is not UTF-8") from error
            if line.strip():
                yield number, line


def _parse(line: str, path: Path, number: int) -> Mapping[str, Any]:
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise _invalid(path, number, f"is not JSON ({error.msg}, column {error.colno})") from error
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond what Python reads
        raise _invalid(path, number, "holds JSON too large or too deep to read") from error
    if not isinstance(entry, dict):
        raise _invalid(path, number, "is not a JSON object")
    return entry


def _own_text(entry: Mapping[str, Any], path: Path, number: int) -> ImportedText:
    text, prompt = entry.get("text"), entry.get("prompt")
    if not isinstance(text, str) or not text.strip():
        raise _invalid(path, number, 'has no "text", or one that is empty or not a string')
    if "prompt" not in entry:
        raise _invalid(path, number, 'has no "prompt" (an empty one where nobody asked)')
    if prompt is not None and not isinstance(prompt, str):
        raise _invalid(path, number, 'has a "prompt" that is not a string')
    return ImportedText(prompt=clean_text(prompt or ""), text=clean_text(text), line=number)


def _conversation(entry: Mapping[str, Any], raw: Sequence[Any]) -> Iterator[Entry]:
    """A conversation without branches; a message is named after all that was said up to it."""
    nodes: list[Node] = []
    for message in map(mapping_of, raw):
        role = _ROLES.get(message["role"] if isinstance(message.get("role"), str) else None)
        text = _content(message.get("content")) if role else ""
        if role is None or not text:
            yield Skipped(_OTHERS if role is None else "messages without text")
            continue
        parent = nodes[-1].id if nodes else None
        when = moment_of(message.get("created_at"))
        nodes.append(Node(digest(parent or "", role, text), parent, role, text, created_at=when))
    messages, active = messages_of(nodes, None)
    if not messages:
        yield Skipped("conversations without a message")
        return
    # Without a name of its own it is known by its first exchange, which a longer version of it still has.
    name = id_of(entry.get("id")) or id_of(entry.get("conversation_id")) or nodes[min(1, len(nodes) - 1)].id
    title = text_of(entry.get("title")) or title_from(messages[0].text)
    yield ParsedConversation(SOURCE, name, title, messages, active)


def _content(content: Any) -> str:
    parts = content if isinstance(content, list) else [content]
    texts = [text_of(mapping_of(part).get("text")) or text_of(part) for part in parts]
    return "\n\n".join(text for text in texts if text)


def _invalid(path: Path, number: int, what: str) -> InvalidImportError:
    return InvalidImportError(f"{display_path(path)}, line {number}: {what}; {_EXPECTED}")
