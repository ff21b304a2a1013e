"""The assistant's own complete export: an array of a mark, conversations, texts and phrases under veto."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from storage.entries import Entry, ParsedConversation, ReadOptions, Skipped, VetoedPhrase
from storage.errors import InvalidImportError
from storage.exporters.complete import CONVERSATION, MARK, TEXT, VERSION, VETO
from storage.importers.json_stream import elements
from storage.importers.values import mapping_of, moment_of
from storage.records import ImportedText
from storage.values import display_path

_LARGEST = (1 << 63) - 1


def read(path: Path, options: ReadOptions) -> Iterator[Entry]:
    """All that an export holds.

    Raises: InvalidImportError: unreadable, not such an export, or by a newer version.
    """
    for number, element in enumerate(elements(path)):
        if number == 0:
            _check_version(mapping_of(element).get(MARK), path)
            continue
        kind, value = next(iter(mapping_of(element).items()), ("", None))
        try:
            yield _READERS[kind](value)
        except (KeyError, ValidationError, _InconsistentError) as error:
            raise InvalidImportError(
                f"{display_path(path)}, entry {number}: is not as this assistant exports it{_where(error)}; "
                "export it again"
            ) from error


class _InconsistentError(Exception):
    """What an entry holds does not fit together."""


def _check_version(version: Any, path: Path) -> None:
    if not isinstance(version, int) or version < 1:
        raise InvalidImportError(f"{display_path(path)}: is no export of this assistant; say with --format what it is")
    if version > VERSION:
        raise InvalidImportError(
            f"{display_path(path)}: was exported by a newer version ({version}); update the assistant, "
            "then import it again"
        )


def _conversation(value: Any) -> Entry:
    raw = dict(mapping_of(value))
    messages = raw.get("messages")
    raw["messages"] = [_dated(message) for message in messages] if isinstance(messages, list) else None
    conversation: ParsedConversation = _adapter(ParsedConversation).validate_python(_dated(raw))
    names: set[str] = set()
    for message in conversation.messages:
        numbers = (message.rating, message.profile_version or 0)
        if message.rating not in (-1, 0, 1) or not 0 <= numbers[1] <= _LARGEST:
            raise _InconsistentError("a rating or a version that cannot be")
        if message.source_id in names or {message.parent, message.edited_from} - {None} - names:
            raise _InconsistentError("a message that stands before the one that it belongs to")
        names.add(message.source_id)
        bounds = [0, *(bound for stretch in message.pasted for bound in stretch), len(message.text)]
        if bounds != sorted(bounds) or any(start == end for start, end in message.pasted):
            raise _InconsistentError("something pasted that is not in its message")
    if conversation.active is not None and conversation.active not in names:
        raise _InconsistentError("a branch that is not there")
    return conversation


def _text(value: Any) -> Entry:
    text: ImportedText = _adapter(ImportedText).validate_python(_dated(mapping_of(value)))
    return text if text.text.strip() else Skipped("texts without a word")


def _veto(value: Any) -> Entry:
    return VetoedPhrase(_adapter(str).validate_python(value))


def _dated(raw: Any) -> dict[str, Any]:
    known = mapping_of(raw)
    return {**known, **{key: moment_of(known[key]) for key in ("created_at", "updated_at") if key in known}}


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _where(error: Exception) -> str:
    """Which field, but never its value: it may be something the person said."""
    if isinstance(error, ValidationError):
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        return f" ({place[:80]})" if place else ""
    return f" ({error})" if isinstance(error, _InconsistentError) else ""


_READERS: Mapping[str, Callable[[Any], Entry]] = {CONVERSATION: _conversation, TEXT: _text, VETO: _veto}
