"""Replies to a branch: planned with the steering of the moment, stored empty, streamed into storage."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from assistant.conversation.loading import ModelLoader
from assistant.conversation.reply import ReplyFinished, stream_replies
from assistant.conversation.sampling import sampling_in_use
from assistant.engine.process import Engine
from assistant.engine.protocol import Generate, Sampling, Turn
from assistant.errors import ModelError
from assistant.models.active import ActiveModel
from assistant.profile.profiles import Profiles
from assistant.profile.steering import NOT_STEERED, UNSTEERED, Plan, SteeringStatus, plan_steering, steering_status
from assistant.profile.vectors import Vectors
from assistant.records import Message, MessageState, Origin, Piece, Prefill, Thought
from assistant.settings import Settings
from storage.store import Store

PLAIN = Plan(UNSTEERED, "", NOT_STEERED)


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """An empty reply, committed to storage; it fills as it streams. Where two stream, the first is side 0."""

    message: Message
    steering: SteeringStatus


AnswerEvent = ReplyStarted | Prefill | Thought | Piece | ReplyFinished


@dataclass(frozen=True, slots=True)
class ReplyOptions:
    """What one reply does differently from the settings (None: as in the settings); strength 0 is unsteered."""

    strength: float | None = None
    system: str | None = None
    sampling: Sampling | None = None


AS_SET = ReplyOptions()


class Answering:
    """The replies of one engine."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        loader: ModelLoader,
        profiles: Profiles,
        vectors: Vectors,
        model: ActiveModel,
        settings: Callable[[], Settings],
    ) -> None:
        self._store, self._engine, self._loader = store, engine, loader
        self._profiles, self._vectors, self._model, self._settings = profiles, vectors, model, settings

    def steering(self) -> SteeringStatus:
        """Whether the next reply is steered."""
        loaded = self._loader.loaded
        if loaded and not loaded.steerable:
            return SteeringStatus(False, None, 0.0, f"{loaded.architecture} models ignore control vectors")
        try:
            return steering_status(self._profiles, self._vectors, self._model.fingerprint())
        except ModelError:
            return SteeringStatus(False, None, 0.0, "no model")

    async def answer(self, asked: Message, options: ReplyOptions = AS_SET) -> AsyncGenerator[AnswerEvent]:
        """Stream a reply to a message.

        Raises: AssistantError: the engine died or refused; what came is kept in storage, state `failed`.
        """
        plan = await self._steered(options)
        turns = self._turns(self._store.messages.branch(asked.id), plan, options)
        reply = self._empty_reply(asked, plan.status)
        request = Generate(turns, self._sampling(options))
        async with aclosing(self._stream([(reply, plan.status)], request)) as events:
            async for event in events:
                yield event

    async def resume(self, reply: Message) -> AsyncGenerator[AnswerEvent]:
        """Go on with a stopped or cut reply, in the same message."""
        plan = await self._steered(AS_SET)
        branch = self._store.messages.branch(reply.id)
        self._store.messages.resume(reply.id)
        turns = self._turns(branch[:-1], plan, AS_SET)
        # A reply stopped before its first token has nothing to go on from: it begins.
        begun = bool(reply.text or reply.reasoning)
        if begun:
            turns = (*turns, Turn("assistant", reply.text, reply.reasoning))
        request = Generate(turns, self._sampling(AS_SET), continue_last=begun)
        async with aclosing(self._stream([(reply, plan.status)], request)) as events:
            async for event in events:
                yield event

    async def both(self, asked: Message) -> AsyncGenerator[AnswerEvent]:
        """Stream two replies to a message side by side: steered (side 0), and as the model is."""
        plan = await self._steered(AS_SET)
        branch = self._store.messages.branch(asked.id)
        # The reply added last is the one that is shown.
        plain = self._empty_reply(asked, PLAIN.status)
        steered = self._empty_reply(asked, plan.status)
        request = Generate(
            self._turns(branch, plan, AS_SET),
            self._sampling(AS_SET),
            plain_turns=self._turns(branch, PLAIN, AS_SET),
        )
        async with aclosing(self._stream([(steered, plan.status), (plain, PLAIN.status)], request)) as events:
            async for event in events:
                yield event

    async def aside(self, branch: Sequence[Message], request: str, sampling: Sampling) -> str:
        """An answer to a request after a branch, kept nowhere; steered as replies are, so that nothing is read anew.

        Raises: AssistantError: the engine died or refused.
        """
        plan = await self._steered(AS_SET)
        turns = (*self._turns(branch, plan, AS_SET), Turn("user", request))
        async with aclosing(self._engine.generate(Generate(turns, sampling))) as events:
            return "".join([event.text async for event in events if isinstance(event, Piece)])

    def _empty_reply(self, asked: Message, status: SteeringStatus) -> Message:
        by_profile = status.on and status.version is not None
        return self._store.messages.add(
            asked.conversation_id,
            asked.id,
            "assistant",
            "",
            state=MessageState.STREAMING,
            origin=Origin.GENERATED,
            model=self._model.path().name,
            profile_version=status.version if by_profile else None,
            strength=status.strength if by_profile else None,
            vectors=status.imported,
        )

    async def _stream(
        self, replies: Sequence[tuple[Message, SteeringStatus]], request: Generate
    ) -> AsyncGenerator[AnswerEvent]:
        messages = [message for message, _ in replies]
        try:
            for message, steering in replies:
                yield ReplyStarted(message, steering)
        except GeneratorExit:
            for left in messages:
                self._store.messages.finish(
                    left.id, text=left.text, reasoning=left.reasoning, state=MessageState.STOPPED
                )
            raise
        async with aclosing(stream_replies(self._store, self._engine, messages, request)) as events:
            async for event in events:
                yield event

    async def _steered(self, options: ReplyOptions) -> Plan:
        """Load the model if need be and put the control vector of the moment in force."""
        loaded = await self._loader.start()
        fingerprint = self._model.fingerprint()
        plan = plan_steering(self._profiles, self._vectors, fingerprint, strength=options.strength)
        if plan.status.on and not loaded.steerable:
            plan = replace(plan, steer=UNSTEERED, status=self.steering())
        await self._loader.steer(plan.steer)
        return plan

    def _turns(self, branch: Sequence[Message], plan: Plan, options: ReplyOptions) -> tuple[Turn, ...]:
        asked = self._settings().model.system_prompt if options.system is None else options.system
        system = "\n\n".join(part for part in (asked.strip(), plan.description) if part)
        first = (Turn("system", system),) if system else ()
        # An empty reply (stopped before its first token) says nothing and confuses small models.
        return (*first, *(Turn(m.role, m.text) for m in branch if m.text))

    def _sampling(self, options: ReplyOptions) -> Sampling:
        return options.sampling or sampling_in_use(self._settings(), self._model).as_sampling()
