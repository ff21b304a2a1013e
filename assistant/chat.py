"""Conversations and replies: what is said is in storage before and while it is generated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from assistant.records import Conversation, Finished, Loaded, Message, Piece, Prefill


@dataclass(frozen=True, slots=True)
class SteeringStatus:
    """Whether replies are steered now.

    Attributes:
        on: the next reply is steered (by vector, description or both).
        version: the profile version in use; None where there is none.
        strength: the strength in force, 1 = calibrated.
        note: why it is off, or what to know, in a few words ("no profile yet", "made for another model"); else "".
    """

    on: bool
    version: int | None
    strength: float
    note: str


@dataclass(frozen=True, slots=True)
class UserMessage:
    """The person's message, committed to storage."""

    message: Message


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """An empty reply, committed to storage; it fills as it streams."""

    message: Message
    steering: SteeringStatus


@dataclass(frozen=True, slots=True)
class ReplyFinished:
    """The reply as stored, with the engine's figures."""

    message: Message
    stats: Finished


ChatEvent = UserMessage | ReplyStarted | Prefill | Piece | ReplyFinished


class Chat:
    """Conversations of one home, answered by one engine."""

    def conversations(self) -> list[Conversation]:
        """All conversations, last used first."""
        raise NotImplementedError

    def new_conversation(self) -> Conversation:
        """An empty conversation (titled after its first message)."""
        raise NotImplementedError

    def rename(self, conversation_id: int, title: str) -> None:
        """Give a conversation a title."""
        raise NotImplementedError

    def delete(self, conversation_id: int) -> None:
        """Delete a conversation with all its messages; what was learned from it is marked stale."""
        raise NotImplementedError

    def messages(self, conversation_id: int) -> list[Message]:
        """The shown branch, oldest first."""
        raise NotImplementedError

    async def start(self) -> Loaded:
        """Start the engine and load the model, if that is not done yet.

        Raises: AssistantError: no model, a broken model, a crash while loading.
        """
        raise NotImplementedError

    def send(self, conversation_id: int, text: str) -> AsyncIterator[ChatEvent]:
        """Store the person's message at the end of the shown branch and stream the reply.

        Raises: EngineError: the engine died or refused; what came is kept in storage, state `failed`.
        """
        raise NotImplementedError

    def regenerate(self, message_id: int) -> AsyncIterator[ChatEvent]:
        """Stream another reply beside this one; it becomes the shown branch, the old one is kept."""
        raise NotImplementedError

    def continue_reply(self, message_id: int) -> AsyncIterator[ChatEvent]:
        """Go on with a stopped or cut reply, in the same message."""
        raise NotImplementedError

    def edit_own(self, message_id: int, text: str) -> AsyncIterator[ChatEvent]:
        """A new branch from an edited message of the person's, with its reply."""
        raise NotImplementedError

    def edit_reply(self, message_id: int, text: str) -> Message:
        """Store the person's version of a reply beside the original; it becomes the shown branch."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Stop the reply that is streaming; what came is kept."""
        raise NotImplementedError

    def rate(self, message_id: int, rating: int) -> Message:
        """Rate a reply: 1 up, -1 down, 0 takes the rating back."""
        raise NotImplementedError

    def switch_branch(self, message_id: int, step: int) -> None:
        """Show the sibling `step` places after (or before) this message, down to its newest leaf."""
        raise NotImplementedError

    def steering(self) -> SteeringStatus:
        """Whether the next reply is steered."""
        raise NotImplementedError

    async def close(self) -> None:
        """End the engine process."""
        raise NotImplementedError
