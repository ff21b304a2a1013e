"""The rows of the history as plain, immutable records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

MessageRole = Literal["system", "user", "assistant"]
Rated = Literal["up", "down", "any"]


def message_item_id(message_id: int) -> str:
    """The id under which a message is learned from."""
    return f"message:{message_id}"


def writing_item_id(writing_id: int) -> str:
    """The id under which a writing is learned from."""
    return f"writing:{writing_id}"


Stretch = tuple[int, int]
"""Characters `start:end` of a text."""


def parts_of(text: str, stretches: Iterable[Stretch]) -> list[str]:
    """These parts of a text."""
    return [text[start:end] for start, end in stretches]


class MessageState(StrEnum):
    """How far a message has come."""

    COMPLETE = "complete"
    STREAMING = "streaming"
    STOPPED = "stopped"
    """Stopped by the person or by the end of a process; the text that came is kept."""
    FAILED = "failed"


class Origin(StrEnum):
    """Who made the text of a message."""

    TYPED = "typed"
    GENERATED = "generated"
    EDITED = "edited"
    """A reply rewritten by the person; `edited_from` is the reply it replaces."""
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation; its messages form a tree of which the branch to `active_leaf_id` is shown.

    `title_given` says that the person chose the title; `deleted_at` that it was deleted and can still be restored.
    """

    id: int
    title: str
    created_at: datetime
    updated_at: datetime
    active_leaf_id: int | None
    title_given: bool = False
    pinned: bool = False
    archived: bool = False
    tags: tuple[str, ...] = ()
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class VectorUse:
    """An imported vector that steers, and how strongly."""

    name: str
    strength: float


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `sibling_index` of `sibling_count` (0-based) says which branch of its parent this is.

    `profile_version` with its `strength` (None: no profile) and the imported `vectors` say what steered a reply;
    `reasoning` is what the model thought before its reply; `stats` are the engine's. `pasted` is where the person
    pasted something into what they wrote, in order and disjoint.
    """

    id: int
    conversation_id: int
    parent_id: int | None
    role: MessageRole
    text: str
    state: MessageState
    origin: Origin
    created_at: datetime
    rating: int = 0
    edited_from: int | None = None
    model: str | None = None
    profile_version: int | None = None
    strength: float | None = None
    vectors: tuple[VectorUse, ...] = ()
    reasoning: str = ""
    stats: dict[str, Any] | None = None
    sibling_index: int = 0
    sibling_count: int = 1
    pasted: tuple[Stretch, ...] = ()

    @property
    def pasted_parts(self) -> list[str]:
        """What was pasted into it."""
        return parts_of(self.text, self.pasted)


@dataclass(frozen=True, slots=True)
class Writing:
    """A text of the person's own that was imported or added by hand; `prompt` is empty where nobody asked."""

    id: int
    prompt: str
    text: str
    origin: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class EffectKey:
    """What an effect depends on; any change of it means scoring anew."""

    item_hash: str
    context_hash: str
    estimator: str
    method: str


@dataclass(frozen=True, slots=True)
class EffectRecord:
    """Per scored token: characters `starts[i]:ends[i]` of the text, and the log-probabilities in nats.

    `logp_with` is given h, the history as context, `logp_without` is not; both are kept as float32.
    `history` names the items that were h.
    """

    key: EffectKey
    item_id: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    logp_with: tuple[float, ...]
    logp_without: tuple[float, ...]
    history: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileRecord:
    """One version of the steering profile.

    Attributes:
        outcome: the rebuild's figures as JSON.
        vector: the control vector as the bytes of a GGUF file; None where nothing helped.
        inputs_hash: hash of all that went in; equal hashes mean that a rebuild would find the same.
        item_hashes: content hash by item id of the items that were learned from.
        stale: a text it was learned from has been forgotten since.
    """

    version: int
    created_at: datetime
    model_fingerprint: str
    inputs_hash: str
    outcome: dict[str, Any]
    description: str
    description_edited: bool
    vector: bytes | None
    item_hashes: dict[str, str]
    stale: bool


@dataclass(frozen=True, slots=True)
class SteeringState:
    """Which profile version is in use, whether it is on, and the strength the person set (1 = calibrated)."""

    version: int | None
    enabled: bool
    strength: float


@dataclass(frozen=True, slots=True)
class VectorRecord:
    """An imported control vector.

    Attributes:
        model_hint: the architecture it was made for, as its file says; may be empty.
        width: length of its directions.
        blocks: the blocks it steers, 0-based, ascending.
        strength: what it is multiplied with, -2 to 2; below 0 it works in reverse.
    """

    name: str
    model_hint: str
    width: int
    blocks: tuple[int, ...]
    strength: float
    enabled: bool
    added_at: datetime


@dataclass(frozen=True, slots=True)
class ImportedText:
    """A text found in a file to import; `line` (1-based) is where it stands, if it is one of several.

    `origin` says where it was first imported from, if it moves from one history to another; `excluded` that it is
    never to be learned from.
    """

    prompt: str
    text: str
    created_at: datetime | None = None
    line: int | None = None
    origin: str = ""
    excluded: bool = False


@dataclass(frozen=True, slots=True)
class ImportCounts:
    """What an import did, or would do: what it `added`, and messages and texts that were `known` already."""

    conversations: int = 0
    messages: int = 0
    texts: int = 0
    known: int = 0

    def __add__(self, other: ImportCounts) -> ImportCounts:
        return ImportCounts(
            self.conversations + other.conversations,
            self.messages + other.messages,
            self.texts + other.texts,
            self.known + other.known,
        )


@dataclass(frozen=True, slots=True)
class Doomed:
    """What is to be forgotten: conversations with all their messages, messages, writings, titles.

    Messages go with everything below them, unless `keeps_replies`. `text` (folded) is also taken out of
    descriptions, phrases under veto and tags.
    """

    conversations: frozenset[int] = frozenset()
    messages: frozenset[int] = frozenset()
    writings: frozenset[int] = frozenset()
    titles: frozenset[int] = frozenset()
    keeps_replies: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What is forgotten, in numbers.

    Attributes:
        messages: those of the conversations included.
        titles: titles of conversations that stay.
        mentions: tags, phrases under veto and lines of descriptions.
        profiles: the profile versions that learned from it; `profile_in_use` is the one of them that is in use.
        backups: automatic backups, which go too.
        copies_in: forked conversations that hold copies and stay.
        erased: whether its bytes are overwritten; if not, they are when the history is next opened.
    """

    conversations: int
    messages: int
    writings: int
    titles: int
    profiles: tuple[int, ...]
    profile_in_use: int | None
    backups: int
    copies_in: tuple[int, ...]
    mentions: int = 0
    erased: bool = False

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to forget."""
        return not (self.conversations or self.messages or self.writings or self.titles or self.mentions)


@dataclass(frozen=True, slots=True)
class SearchFilter:
    """Which messages a search looks at (None: whatever it is); with any of them titles are not looked at.

    Attributes:
        after, before: said at this moment (aware) or later; said before it.
        model: the reply's model, as its file is called.
        rated: rated up, down, or at all.
    """

    after: datetime | None = None
    before: datetime | None = None
    model: str | None = None
    rated: Rated | None = None
    role: MessageRole | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A place where a search matched: a message, or the title of a conversation (`message_id` and `role` None).

    `marks` are the matched stretches as (start, end) characters of `snippet`, in order and disjoint; `title` is the
    conversation's; `created_at` when the message was said, of a title when the conversation was last added to.
    """

    conversation_id: int
    message_id: int | None
    snippet: str
    marks: tuple[tuple[int, int], ...]
    title: str
    role: MessageRole | None
    created_at: datetime
