"""Conversations and replies: what is said is in storage before and while it is generated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from assistant.engine.process import Engine
from assistant.engine.protocol import Generate, Load, Sampling, Turn
from assistant.errors import AssistantError, ModelError
from assistant.models.active import ActiveModel
from assistant.profiles import Profiles
from assistant.records import Conversation, Loaded, Message, MessageState, Origin, Piece, Prefill
from assistant.reply import ReplyFinished, stream_reply
from assistant.reporting import reports_storage_errors
from assistant.settings import Settings
from assistant.steering import UNSTEERED, Plan, SteeringStatus, plan_steering, steering_status
from assistant.vectors import Vectors
from storage.store import Store

TITLE_LENGTH = 60


@dataclass(frozen=True, slots=True)
class UserMessage:
    """The person's message, committed to storage."""

    message: Message


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """An empty reply, committed to storage; it fills as it streams."""

    message: Message
    steering: SteeringStatus


ChatEvent = UserMessage | ReplyStarted | Prefill | Piece | ReplyFinished


@dataclass(frozen=True, slots=True)
class ReplyOptions:
    """What one reply does differently from the settings (None: as in the settings); strength 0 is unsteered."""

    strength: float | None = None
    system: str | None = None
    sampling: Sampling | None = None


AS_SET = ReplyOptions()


@reports_storage_errors
class Chat:
    """Conversations of one home, answered by one engine."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        profiles: Profiles,
        vectors: Vectors,
        model: ActiveModel,
        settings: Callable[[], Settings],
    ) -> None:
        self._store = store
        self._engine = engine
        self._profiles = profiles
        self._vectors = vectors
        self._model = model
        self._settings = settings
        self._loaded: Loaded | None = None
        self._in_force = UNSTEERED
        self._starting = asyncio.Lock()

    def conversations(self) -> list[Conversation]:
        """All conversations, last used first."""
        return self._store.conversations.list()

    def new_conversation(self) -> Conversation:
        """An empty conversation (titled after its first message)."""
        return self._store.conversations.create()

    def rename(self, conversation_id: int, title: str) -> None:
        """Give a conversation a title."""
        self._store.conversations.rename(conversation_id, title.strip())

    def delete(self, conversation_id: int) -> None:
        """Delete a conversation with all its messages; what was learned from it is marked stale."""
        self._store.conversations.delete(conversation_id)

    def messages(self, conversation_id: int) -> list[Message]:
        """The shown branch, oldest first."""
        leaf = self._store.conversations.get(conversation_id).active_leaf_id
        return [] if leaf is None else self._store.messages.branch(leaf)

    async def start(self) -> Loaded:
        """Start the engine and load the model, if that is not done yet.

        Raises: AssistantError: no model, a broken model, a crash while loading.
        """
        async with self._starting:
            model = self._settings().model
            wanted = Load(str(self._model.path()), model.context_tokens, model.threads or None)
            if self._loaded is None or self._engine.loaded != wanted:
                self._loaded = await self._engine.load(wanted)
                self._in_force = UNSTEERED
            return self._loaded

    async def send(self, conversation_id: int, text: str, options: ReplyOptions = AS_SET) -> AsyncGenerator[ChatEvent]:
        """Store the person's message at the end of the shown branch and stream the reply.

        Raises: AssistantError: the engine died or refused; what came is kept in storage, state `failed`.
        """
        leaf = self._store.conversations.get(conversation_id).active_leaf_id
        async with aclosing(self._say(conversation_id, leaf, text, options)) as events:
            async for event in events:
                yield event

    async def edit_own(self, message_id: int, text: str) -> AsyncGenerator[ChatEvent]:
        """A new branch from an edited message of the person's, with its reply."""
        message = self._store.messages.get(message_id)
        if message.role != "user":
            raise AssistantError("only an own message branches so; a reply is edited in place")
        async with aclosing(self._say(message.conversation_id, message.parent_id, text, AS_SET)) as events:
            async for event in events:
                yield event

    async def regenerate(self, message_id: int) -> AsyncGenerator[ChatEvent]:
        """Stream another reply beside this one; it becomes the shown branch, the old one is kept."""
        message = self._store.messages.get(message_id)
        if message.role != "assistant" or message.parent_id is None:
            raise AssistantError("only a reply can be regenerated")
        async with aclosing(self._answer(message.conversation_id, message.parent_id, AS_SET)) as events:
            async for event in events:
                yield event

    async def continue_reply(self, message_id: int) -> AsyncGenerator[ChatEvent]:
        """Go on with a stopped or cut reply, in the same message."""
        message = self._store.messages.get(message_id)
        if message.role != "assistant":
            raise AssistantError("only a reply can be continued")
        plan = await self._steered(AS_SET)
        branch = self._store.messages.branch(message_id)
        self._store.messages.resume(message_id)
        # A reply stopped before its first token has nothing to go on from: it begins.
        request = Generate(self._turns(branch, plan, AS_SET), self._sampling(AS_SET), continue_last=bool(message.text))
        async with aclosing(self._stream(message, request, plan.status)) as events:
            async for event in events:
                yield event

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
        if self._loaded and not self._loaded.steerable:
            return SteeringStatus(False, None, 0.0, f"{self._loaded.architecture} models ignore control vectors")
        try:
            return steering_status(self._profiles, self._vectors, self._model.fingerprint())
        except ModelError:
            return SteeringStatus(False, None, 0.0, "no model")

    async def close(self) -> None:
        """End the engine process."""
        await self._engine.close()

    async def _say(
        self, conversation_id: int, parent_id: int | None, text: str, options: ReplyOptions
    ) -> AsyncGenerator[ChatEvent]:
        said = self._store.messages.add(
            conversation_id, parent_id, "user", text, state=MessageState.COMPLETE, origin=Origin.TYPED
        )
        if not self._store.conversations.get(conversation_id).title:
            self._store.conversations.rename(conversation_id, _title(text))
        yield UserMessage(said)
        async with aclosing(self._answer(conversation_id, said.id, options)) as events:
            async for event in events:
                yield event

    async def _answer(self, conversation_id: int, parent_id: int, options: ReplyOptions) -> AsyncGenerator[ChatEvent]:
        plan = await self._steered(options)
        turns = self._turns(self._store.messages.branch(parent_id), plan, options)
        status = plan.status
        by_profile = status.on and status.version is not None
        reply = self._store.messages.add(
            conversation_id,
            parent_id,
            "assistant",
            "",
            state=MessageState.STREAMING,
            origin=Origin.GENERATED,
            model=self._model.path().name,
            profile_version=status.version if by_profile else None,
            strength=status.strength if by_profile else None,
            vectors=status.imported,
        )
        request = Generate(turns, self._sampling(options))
        async with aclosing(self._stream(reply, request, status)) as events:
            async for event in events:
                yield event

    async def _stream(self, reply: Message, request: Generate, steering: SteeringStatus) -> AsyncGenerator[ChatEvent]:
        try:
            yield ReplyStarted(reply, steering)
        except GeneratorExit:
            self._store.messages.finish(reply.id, text=reply.text, state=MessageState.STOPPED)
            raise
        async with aclosing(stream_reply(self._store, self._engine, reply, request)) as events:
            async for event in events:
                yield event

    async def _steered(self, options: ReplyOptions) -> Plan:
        """Load the model if need be and put the control vector of the moment in force."""
        loaded = await self.start()
        fingerprint = self._model.fingerprint()
        plan = plan_steering(self._profiles, self._vectors, fingerprint, strength=options.strength)
        if plan.status.on and not loaded.steerable:
            plan = replace(plan, steer=UNSTEERED, status=self.steering())
        if plan.steer != self._in_force:
            await self._engine.steer(plan.steer)
            self._in_force = plan.steer
        return plan

    def _turns(self, branch: Sequence[Message], plan: Plan, options: ReplyOptions) -> tuple[Turn, ...]:
        asked = self._settings().model.system_prompt if options.system is None else options.system
        system = "\n\n".join(part for part in (asked.strip(), plan.description) if part)
        first = (Turn("system", system),) if system else ()
        # An empty reply (stopped before its first token) says nothing and confuses small models.
        return (*first, *(Turn(m.role, m.text) for m in branch if m.text))

    def _sampling(self, options: ReplyOptions) -> Sampling:
        return options.sampling or self._settings().sampling.as_sampling()


def _title(text: str) -> str:
    first_line = text.strip().split("\n", 1)[0].strip()
    return first_line if len(first_line) <= TITLE_LENGTH else first_line[: TITLE_LENGTH - 1] + "…"
