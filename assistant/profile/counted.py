"""How much there is to learn from, in words."""

from __future__ import annotations

from collections.abc import Collection

from assistant.figures import count
from assistant.profile.preferences import LearnableItem
from assistant.records import Source


def counted(items: Collection[LearnableItem]) -> str:
    """Texts that a vector would be learned from, and typed messages, of which only words and phrases are."""
    messages = [one for one in items if one.item.source is Source.OWN_MESSAGE]
    texts = len(items) - len(messages)
    said = f"{texts_to_learn_from(items):,} of {count(texts, 'text')} will be learned from"
    if messages:
        read, total = sum(one.used for one in messages), len(messages)
        said += ", and words and phrases of " + (f"{read:,} of " if read < total else "")
        said += count(total, "chat message")
    return said


def texts_to_learn_from(items: Collection[LearnableItem]) -> int:
    """How many a vector would be learned from."""
    return sum(one.used and one.item.source is not Source.OWN_MESSAGE for one in items)
