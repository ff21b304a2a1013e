"""What importers find, whatever the format: one shape for conversations, texts and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from storage.records import ImportedText, MessageRole, MessageState, Origin, Stretch, VectorUse


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A message; `source_id` is its name within the conversation, `parent` and `edited_from` are such names.

    `pasted` is where something was pasted into it, `claimed` that the person says it is theirs all the same.
    """

    source_id: str
    parent: str | None
    role: MessageRole
    text: str
    created_at: datetime | None = None
    model: str | None = None
    reasoning: str = ""
    origin: Origin = Origin.IMPORTED
    state: MessageState = MessageState.COMPLETE
    rating: int = 0
    edited_from: str | None = None
    profile_version: int | None = None
    strength: float | None = None
    vectors: tuple[VectorUse, ...] = ()
    stats: Mapping[str, Any] | None = None
    excluded: bool = False
    pasted: tuple[Stretch, ...] = ()
    claimed: bool = False


@dataclass(frozen=True, slots=True)
class ParsedConversation:
    """A conversation with all its branches; parents stand before their children.

    `source` and `source_id` name it for good: importing it again adds only what is new. `active` is the message in
    which the shown branch ends.
    """

    source: str
    source_id: str
    title: str
    messages: tuple[ParsedMessage, ...]
    active: str | None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    title_given: bool = True
    pinned: bool = False
    archived: bool = False
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VetoedPhrase:
    """A phrase that is never to be taken for a preference."""

    phrase: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is left out, and why, in words that follow a number: "3 pictures"."""

    what: str
    count: int = 1


Entry = ParsedConversation | ImportedText | VetoedPhrase | Skipped


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader may need beside the file.

    Attributes:
        scratch: a private folder for temporary copies, always emptied again.
        me: addresses of the person; only mails from these are theirs.
    """

    scratch: Path
    me: frozenset[str] = field(default=frozenset())
