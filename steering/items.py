"""What goes into a rebuild: the texts a person wrote, chose or corrected."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from enum import StrEnum


class Source(StrEnum):
    """Where a text comes from. It decides what the text may teach (METHOD: items)."""

    EDITED = "edited"
    """A reply the person rewrote: the text is theirs, the original reply is the negative."""
    CHOSEN = "chosen"
    """A reply rated up, or kept over a regenerated or down-rated one (the negative, where there is one)."""
    WRITING = "writing"
    """A text of the person's own: mail, note, post, review, answer."""
    OWN_MESSAGE = "own-message"
    """A chat message the person typed."""


CONTRASTIVE_SOURCES = frozenset({Source.EDITED, Source.CHOSEN, Source.WRITING})
"""Sources a vector may learn from. A chat message is not one: the assistant must not learn to talk like a question."""

OWN_WORDS = frozenset({Source.EDITED, Source.WRITING})
"""Sources that show how the person writes; a chosen reply is the model's, only the choice is the person's."""


@dataclass(frozen=True, slots=True)
class PreferenceItem:
    """One text `y` of the person with the context `x` it answers.

    Attributes:
        id: stable key chosen by the caller, unique in one history.
        context: x, what was asked; empty where nobody asked.
        text: y, the person's text; never empty.
        source: where the text comes from.
        order: position in time; only items with a smaller order may explain this one.
        negative: the rejected or original reply to the same context, where there is one.
    """

    id: str
    context: str
    text: str
    source: Source
    order: float
    negative: str | None = None

    @property
    def content_hash(self) -> str:
        """Hash of all that learning sees of this item (hex, 32 characters)."""
        return _hash(self.context, self.text, self.negative or "")

    @property
    def said(self) -> str:
        """The text in one spacing and composed (NFC): two items that say the same are copies."""
        return " ".join(unicodedata.normalize("NFC", self.text).split())

    @property
    def answered(self) -> str:
        """Hash of the text, composed, and what it answers (hex, 32 characters)."""
        return _hash(unicodedata.normalize("NFC", self.context), unicodedata.normalize("NFC", self.text))

    @property
    def scored_hash(self) -> str:
        """Hash of what its effects depend on (hex, 32 characters): a rejected reply explains no token."""
        return _hash(self.context, self.text)


def _hash(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()[:32]
