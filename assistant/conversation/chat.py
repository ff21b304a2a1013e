"""Conversations and replies: what is said is in storage before and while it is generated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from assistant.conversation.answering import AS_SET, AnswerEvent, Answering, ReplyOptions
from assistant.conversation.loading import ModelLoader
from assistant.conversation.reference import Reference
from assistant.conversation.reply import ReplyFinished
from assistant.conversation.titles import REQUEST, SAMPLING, title_of
from assistant.engine.process import Engine, OnLoading
from assistant.errors import AssistantError
from assistant.history.pastes import Pastes
from assistant.profile.steering import SteeringStatus
from assistant.records import Conversation, Loaded, Message, MessageState, Origin
from assistant.reporting import reports_storage_errors
from storage.records import message_item_id
from storage.store import Store

TITLE_LENGTH = 60


@dataclass(frozen=True, slots=True)
class UserMessage:
    """The person's message, committed to storage."""

    message: Message


ChatEvent = UserMessage | AnswerEvent


@reports_storage_errors
class Chat:
    """Conversations of one home, answered by one engine; `pastes` knows what was pasted into what is said."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        loader: ModelLoader,
        answering: Answering,
        reference: Reference,
        pastes: Pastes,
    ) -> None:
        self._store, self._engine, self._loader = store, engine, loader
        self._answering, self._reference, self.pastes = answering, reference, pastes
        self._titling: asyncio.Task[object] | None = None

    def conversations(self) -> list[Conversation]:
        """All conversations, last used first."""
        return self._store.conversations.list()

    def new_conversation(self) -> Conversation:
        """An empty conversation (titled after its first message)."""
        return self._store.conversations.create()

    def rename(self, conversation_id: int, title: str) -> None:
        """Give a conversation the title that the person chose; no automatic one replaces it."""
        self._store.conversations.give_title(conversation_id, title.strip())

    async def suggest_title(self, conversation_id: int) -> bool:
        """Ask the model for a title after the first exchange, unless the person gave one; returns whether it is new.

        What the person does next comes first: it ends this with CancelledError.

        Raises: AssistantError: the engine died or refused; the title stays.
        """
        branch = self.messages(conversation_id)
        if len(branch) != 2 or not branch[1].text or self._store.conversations.get(conversation_id).title_given:
            return False
        self._titling = asyncio.current_task()
        try:
            title = title_of(await self._answering.aside(branch, REQUEST, SAMPLING))
        finally:
            self._titling = None
        return bool(title) and self._store.conversations.suggest_title(conversation_id, title)

    def delete(self, conversation_id: int) -> None:
        """Delete a conversation with all its messages; what was learned from it is marked stale."""
        self._store.conversations.delete(conversation_id)

    def messages(self, conversation_id: int) -> list[Message]:
        """The shown branch, oldest first."""
        leaf = self._store.conversations.get(conversation_id).active_leaf_id
        return [] if leaf is None else self._store.messages.branch(leaf)

    async def start(self, *, by_itself: bool = False, on_loading: OnLoading | None = None) -> Loaded:
        """Start the engine and load the model, if that is not done yet; see `ModelLoader.start`.

        Raises: AssistantError: no model, a broken model, a crash while loading.
        """
        return await self._loader.start(by_itself=by_itself, on_loading=on_loading)

    async def send(self, conversation_id: int, text: str, options: ReplyOptions = AS_SET) -> AsyncGenerator[ChatEvent]:
        """Store the person's message at the end of the shown branch and stream the reply.

        Raises: AssistantError: the engine died or refused; what came is kept in storage, state `failed`.
        """
        self._comes_first()
        leaf = self._store.conversations.get(conversation_id).active_leaf_id
        async with aclosing(self._answered(self._said(conversation_id, leaf, text), options)) as events:
            async for event in events:
                yield event

    async def edit_own(self, message_id: int, text: str) -> AsyncGenerator[ChatEvent]:
        """A new branch from an edited message of the person's, with its reply; what was pasted into it stays pasted."""
        self._comes_first()
        message = self._store.messages.get(message_id)
        if message.role != "user":
            raise AssistantError("only an own message branches so; a reply is edited in place")
        self.pastes.remember(*message.pasted_parts)
        claimed = message_item_id(message_id) in self._store.feedback.claimed_items()
        said = self._said(message.conversation_id, message.parent_id, text, claimed=claimed)
        async with aclosing(self._answered(said, AS_SET)) as events:
            async for event in events:
                yield event

    async def regenerate(self, message_id: int) -> AsyncGenerator[ChatEvent]:
        """Stream another reply beside this one; it becomes the shown branch, the old one is kept."""
        self._comes_first()
        message = self._store.messages.get(message_id)
        if message.role != "assistant" or message.parent_id is None:
            raise AssistantError("only a reply can be regenerated")
        async with aclosing(self._answering.answer(self._store.messages.get(message.parent_id))) as events:
            async for event in events:
                yield event

    async def continue_reply(self, message_id: int) -> AsyncGenerator[ChatEvent]:
        """Go on with a stopped or cut reply, in the same message."""
        self._comes_first()
        message = self._store.messages.get(message_id)
        if message.role != "assistant":
            raise AssistantError("only a reply can be continued")
        async with aclosing(self._answering.resume(message)) as events:
            async for event in events:
                yield event

    async def compare(self, conversation_id: int, text: str, other_model: str = "") -> AsyncGenerator[ChatEvent]:
        """Store the person's message and stream two replies side by side: steered (side 0), and as the model is.

        With another model (a path or name) its reply, unsteered, is side 1, and comes after that of the model in use:
        two models at once would take each other's cores. Both are kept, siblings. `prefer` says which one is better.

        Raises: AssistantError: nothing steers, so both would be the same; or as `send`.
        """
        self._comes_first()
        status = self.steering()
        if not status.on and not other_model:
            raise AssistantError(f"nothing steers ({status.note}), so both replies would be the same")
        if other_model:
            self._reference.check(other_model)
        leaf = self._store.conversations.get(conversation_id).active_leaf_id
        said = self._said(conversation_id, leaf, text)
        yield UserMessage(said)
        if not other_model:
            async with aclosing(self._answering.both(said)) as events:
                async for event in events:
                    yield event
            return
        for stream in (self._answering.answer(said), self._reference.answer(said, other_model)):
            async with aclosing(stream) as events:
                async for event in events:
                    yield event
                    if isinstance(event, ReplyFinished) and event.stats.reason == "stopped":
                        return

    def prefer(self, message_id: int) -> Message:
        """Say that this reply is better than those beside it: it is rated up and shown, and learned from."""
        chosen = self.rate(message_id, 1)
        self._store.conversations.set_active_leaf(chosen.conversation_id, chosen.id)
        return chosen

    def edit_reply(self, message_id: int, text: str) -> Message:
        """Store the person's version of a reply beside the original; it becomes the shown branch."""
        original = self._store.messages.get(message_id)
        if original.role != "assistant":
            raise AssistantError("only a reply can be edited in place; an own message branches")
        return self._store.messages.add(
            original.conversation_id,
            original.parent_id,
            "assistant",
            text,
            state=MessageState.COMPLETE,
            origin=Origin.EDITED,
            # An edit of an edit still corrects what the model said.
            edited_from=original.edited_from or original.id,
            model=original.model,
        )

    async def stop(self) -> None:
        """Stop the reply that is streaming; what came is kept."""
        await self._engine.stop()
        await self._reference.stop()

    def rate(self, message_id: int, rating: int) -> Message:
        """Rate a reply: 1 up, -1 down, 0 takes the rating back."""
        self._store.feedback.rate(message_id, rating)
        return self._store.messages.get(message_id)

    def switch_branch(self, message_id: int, step: int) -> None:
        """Show the sibling `step` places after (or before) this message, down to its newest leaf."""
        siblings = self._store.messages.siblings(message_id)
        place = next(i for i, sibling in enumerate(siblings) if sibling.id == message_id) + step
        if 0 <= place < len(siblings):
            leaf = self._store.messages.newest_leaf(siblings[place].id)
            self._store.conversations.set_active_leaf(leaf.conversation_id, leaf.id)

    def steering(self) -> SteeringStatus:
        """Whether the next reply is steered."""
        return self._answering.steering()

    async def close(self) -> None:
        """End the engine processes."""
        await self._engine.close()
        await self._reference.close()

    def _comes_first(self) -> None:
        """End what runs behind the scenes."""
        if self._titling:
            self._titling.cancel()

    async def _answered(self, said: Message, options: ReplyOptions) -> AsyncGenerator[ChatEvent]:
        yield UserMessage(said)
        async with aclosing(self._answering.answer(said, options)) as events:
            async for event in events:
                yield event

    def _said(self, conversation_id: int, parent_id: int | None, text: str, *, claimed: bool = False) -> Message:
        """The person's message, stored before anything else is tried; `claimed`: what was pasted into it is theirs."""
        said = self._store.messages.add(
            conversation_id,
            parent_id,
            "user",
            text,
            state=MessageState.COMPLETE,
            origin=Origin.TYPED,
            pasted=self.pastes.stretches(text),
        )
        if claimed and said.pasted:
            self._store.feedback.claim_item(message_item_id(said.id))
        if not self._store.conversations.get(conversation_id).title:
            self._store.conversations.suggest_title(conversation_id, _title(text))
        return said


def _title(text: str) -> str:
    first_line = text.strip().split("\n", 1)[0].strip()
    return first_line if len(first_line) <= TITLE_LENGTH else first_line[: TITLE_LENGTH - 1] + "…"
