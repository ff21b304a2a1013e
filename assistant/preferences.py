"""What is learned from: the items of the history, and what the person took out."""

from __future__ import annotations

from dataclasses import dataclass

from assistant.records import PreferenceItem, Writing


@dataclass(frozen=True, slots=True)
class LearnableItem:
    """An item of the history; `excluded` by the person, or left out for a `reason` of ours ("" if it is used)."""

    item: PreferenceItem
    excluded: bool
    reason: str

    @property
    def used(self) -> bool:
        """Whether a rebuild would learn from it."""
        return not self.excluded and not self.reason


class Preferences:
    """Items and vetoes of one home."""

    def items(self) -> list[LearnableItem]:
        """Everything that could be learned from, oldest first."""
        raise NotImplementedError

    def exclude(self, item_id: str) -> None:
        """Never learn from this item."""
        raise NotImplementedError

    def include(self, item_id: str) -> None:
        """Learn from this item again."""
        raise NotImplementedError

    def veto_phrase(self, phrase: str) -> None:
        """Never take this phrase for a preference; survives rebuilds."""
        raise NotImplementedError

    def allow_phrase(self, phrase: str) -> None:
        """Take a veto back."""
        raise NotImplementedError

    def vetoed_phrases(self) -> list[str]:
        """The phrases under veto, in alphabetical order."""
        raise NotImplementedError

    def add_text(self, text: str, prompt: str = "") -> Writing:
        """Add a text of the person's own by hand."""
        raise NotImplementedError
