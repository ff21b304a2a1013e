"""What is learned from: the items of the history, and what the person took out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from assistant.errors import AssistantError
from assistant.records import MessageState, PreferenceItem, Writing
from assistant.reporting import reports_storage_errors
from assistant.word_count import count_words
from steering.items import Source
from steering.own_text import Passage, Reason, own_text
from storage.records import Message, Origin, message_item_id, writing_item_id
from storage.store import Store

MIN_WORDS = 3
ADDED_BY_HAND = "added by hand"
NOTHING_OWN = "all of it is quoted, pasted, forwarded or code"
NOT_SCORED = "your chat messages are not scored, as the settings have it"
_MAY_HOLD_OTHERS_WORDS = frozenset({Source.WRITING, Source.OWN_MESSAGE})
"""Sources that people paste into; a reply is the model's and what the person made of it, quotations and code too."""


@dataclass(frozen=True, slots=True)
class LearnableItem:
    """An item of the history; `excluded` by the person, or left out for a `reason` of ours ("" if it is used).

    The item's text holds the person's own words only; `passages` is what was in it beside them. `claimed`: what was
    pasted into it is theirs, as they said, and among these words.
    """

    item: PreferenceItem
    excluded: bool
    reason: str
    passages: tuple[Passage, ...] = ()
    claimed: bool = False

    @property
    def used(self) -> bool:
        """Whether a rebuild would learn from it."""
        return not self.excluded and not self.reason

    @property
    def why_left_out(self) -> str:
        """Why a rebuild would not learn from it; empty if it would."""
        return "excluded by you" if self.excluded else self.reason


@reports_storage_errors
class Preferences:
    """Items and vetoes of one home; `with_messages` says whether typed messages are learned from."""

    def __init__(self, store: Store, with_messages: Callable[[], bool]) -> None:
        self._store = store
        self._with_messages = with_messages

    def items(self) -> list[LearnableItem]:
        """Everything that could be learned from, oldest first; `order` is the place in this list."""
        typed = self._store.messages.typed()
        pasted = {message_item_id(message.id): message.pasted for message, _ in typed if message.pasted}
        claimed = self._store.feedback.claimed_items().intersection(pasted)
        dated = [*self._writings(), *_own_messages(typed), *self._replies()]
        ordered = [item for _, _, item in sorted(dated, key=lambda entry: entry[:2])]
        excluded = self._store.feedback.excluded_items()
        with_messages = self._with_messages()
        seen: set[str] = set()
        found = []
        for order, sent in enumerate(ordered):
            passages: tuple[Passage, ...] = ()
            item = replace(sent, order=float(order))
            if sent.source in _MAY_HOLD_OTHERS_WORDS:
                own = own_text(sent.text, () if sent.id in claimed else pasted.get(sent.id, ()))
                item, passages = replace(item, text=own.text), own.left_out
            said = said_once(item)
            reason = NOTHING_OWN if passages and not item.text else _unusable(item, said in seen)
            if not with_messages and item.source is Source.OWN_MESSAGE:
                reason = NOT_SCORED
            seen.add(said)
            found.append(LearnableItem(item, item.id in excluded, reason, passages, item.id in claimed))
        return found

    def get(self, item_id: str) -> LearnableItem:
        """One item.

        Raises: AssistantError: there is no such item.
        """
        for learnable in self.items():
            if learnable.item.id == item_id:
                return learnable
        raise AssistantError(f"there is no item {item_id!r}; `assistant profile explain` without an item lists them")

    def exclude(self, item_id: str) -> None:
        """Never learn from this item."""
        self._store.feedback.exclude_item(self.get(item_id).item.id)

    def include(self, item_id: str) -> None:
        """Learn from this item again."""
        self._store.feedback.include_item(item_id)

    def claim(self, item_id: str) -> None:
        """Learn from what was pasted into this item, too: it is the person's own; survives rebuilds.

        Raises: AssistantError: there is no such item, or nothing was pasted into it.
        """
        one = self.get(item_id)
        if not one.claimed and all(passage.reason is not Reason.PASTED for passage in one.passages):
            raise AssistantError(f"{item_id}: nothing was pasted into it that is not learned from")
        self._store.feedback.claim_item(item_id)

    def disclaim(self, item_id: str) -> None:
        """Take a claim back."""
        self._store.feedback.disclaim_item(item_id)

    def veto_phrase(self, phrase: str) -> None:
        """Never take this phrase for a preference; survives rebuilds."""
        self._store.feedback.veto_phrase(phrase)

    def allow_phrase(self, phrase: str) -> None:
        """Take a veto back."""
        self._store.feedback.allow_phrase(phrase)

    def vetoed_phrases(self) -> list[str]:
        """The phrases under veto, in alphabetical order."""
        return self._store.feedback.vetoed_phrases()

    def add_text(self, text: str, prompt: str = "") -> Writing:
        """Add a text of the person's own by hand.

        Raises: AssistantError: there is nothing in it.
        """
        if not text.strip():
            raise AssistantError("there is no text to add")
        return self._store.writing.add(prompt.strip(), text, ADDED_BY_HAND)[0]

    def _writings(self) -> list[tuple[float, int, PreferenceItem]]:
        return [
            (w.created_at.timestamp(), w.id, PreferenceItem(writing_item_id(w.id), w.prompt, w.text, Source.WRITING, 0))
            for w in self._store.writing.list()
        ]

    def _replies(self) -> list[tuple[float, int, PreferenceItem]]:
        """Replies the person rewrote or rated up, each with the reply it was preferred to.

        Of the versions of one reply the last counts: the others are what the person put right.
        """
        replies = [reply for reply in self._store.messages.replies() if reply.rating >= 0]
        last = {reply.edited_from: reply.id for reply in replies if reply.origin is Origin.EDITED}
        found = []
        for reply in replies:
            edited = reply.origin is Origin.EDITED
            if reply.parent_id is None or not (edited or reply.rating > 0):
                continue
            if last.get(reply.edited_from if edited else reply.id, reply.id) != reply.id:
                continue
            asked = self._store.messages.get(reply.parent_id).text
            source = Source.EDITED if edited else Source.CHOSEN
            item = PreferenceItem(message_item_id(reply.id), asked, reply.text, source, 0, self._rejected(reply))
            found.append(_dated(reply, item))
        return found

    def _rejected(self, chosen: Message) -> str | None:
        """The original of an edited reply, else the reply beside it that was rated down, else the newest one."""
        if chosen.edited_from is not None:
            return self._store.messages.get(chosen.edited_from).text or None
        others = [m for m in self._store.messages.siblings(chosen.id) if m.id != chosen.id and _is_rejectable(m)]
        return min(others, key=lambda m: (m.rating, -m.id)).text if others else None


def _own_messages(typed: Iterable[tuple[Message, Message | None]]) -> list[tuple[float, int, PreferenceItem]]:
    """What the person said, each with what it answers."""
    return [
        _dated(
            message,
            PreferenceItem(
                message_item_id(message.id), before.text if before else "", message.text, Source.OWN_MESSAGE, 0
            ),
        )
        for message, before in typed
    ]


def _is_rejectable(reply: Message) -> bool:
    """The person's own version is never what they rejected, nor is a reply that a crash or a stop cut short."""
    generated = reply.origin is Origin.GENERATED and reply.state is MessageState.COMPLETE
    return generated and reply.rating <= 0 and bool(reply.text.strip())


def _dated(message: Message, item: PreferenceItem) -> tuple[float, int, PreferenceItem]:
    return message.created_at.timestamp(), message.id, item


def said_once(item: PreferenceItem) -> str:
    """What is learned once: a text in whatever spacing and after whatever request; a chat message only where it answers
    the same.

    A second copy would judge the vector that the first one made.
    """
    return item.answered if item.source is Source.OWN_MESSAGE else item.said


def is_too_short(text: str) -> bool:
    """Whether there is nothing to learn from it."""
    return count_words(text) < MIN_WORDS


def _unusable(item: PreferenceItem, known: bool) -> str:
    if is_too_short(item.text):
        return f"too short (under {MIN_WORDS} words)"
    return "the same as another item" if known else ""
