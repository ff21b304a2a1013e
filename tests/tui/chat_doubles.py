"""A chat, its history and what was written, in memory: replies wait to be let on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

from assistant.conversation.answering import ReplyStarted
from assistant.conversation.chat import ChatEvent, UserMessage
from assistant.conversation.reply import ReplyFinished
from assistant.engine.protocol import Tuning
from assistant.errors import AssistantError, EngineError
from assistant.history.pastes import Pastes
from assistant.profile.steering import NOT_STEERED, SteeringStatus
from assistant.records import (
    Conversation,
    Finished,
    Loaded,
    Message,
    MessageState,
    Origin,
    Piece,
    Prefill,
    SearchHit,
    VectorUse,
)
from tests.tui.learning_doubles import START, ScriptedProfiles, ScriptedVectors


class ScriptedChat:
    """Replies come from `script`; a reply stops before piece `hold_at` until `go` is set."""

    def __init__(self, profiles: ScriptedProfiles, vectors: ScriptedVectors) -> None:
        self.profiles = profiles
        self.vectors = vectors
        self.script = ["The ", "**answer** ", "is `42`."]
        self.plain_script = ["It is ", "42, ", "I believe."]
        self.hold_at: int | None = None
        self.fail_at: int | None = None
        self.load_error: str = ""
        self.title = self.title_error = ""
        self.pastes = Pastes()
        self.prefill: tuple[int, int] | None = None
        self.go = asyncio.Event()
        self.load_gate = asyncio.Event()
        self.load_gate.set()
        self.stopped = False
        self.closed = False
        self._conversations: dict[int, Conversation] = {}
        self._messages: dict[int, Message] = {}
        self._shown: dict[tuple[int, int | None], int] = {}

    def conversations(self) -> list[Conversation]:
        kept = [one for one in self._conversations.values() if one.deleted_at is None]
        return sorted(kept, key=lambda one: (one.updated_at, one.id), reverse=True)

    def new_conversation(self) -> Conversation:
        number = len(self._conversations) + 1
        self._conversations[number] = Conversation(number, "", START, START + timedelta(hours=number), None)
        return self._conversations[number]

    def rename(self, conversation_id: int, title: str) -> None:
        self.change_conversation(conversation_id, title=title)

    def change_conversation(self, conversation_id: int, **fields: object) -> None:
        self._conversations[conversation_id] = replace(self._conversations[conversation_id], **fields)  # type: ignore[arg-type]

    def messages(self, conversation_id: int) -> list[Message]:
        branch: list[Message] = []
        parent: int | None = None
        while (key := (conversation_id, parent)) in self._shown:
            parent = self._shown[key]
            branch.append(self._with_siblings(parent))
        return branch

    def add(self, conversation_id: int, role: str, text: str, parent_id: int | None, **fields: object) -> Message:
        number = len(self._messages) + 1
        plain = Message(number, conversation_id, parent_id, role, text, MessageState.COMPLETE, Origin.TYPED, START)  # type: ignore[arg-type]
        self._messages[number] = replace(plain, **fields)  # type: ignore[arg-type]
        self._shown[(conversation_id, parent_id)] = number
        return self._with_siblings(number)

    def say(self, conversation_id: int, *texts: str) -> None:
        """Put a finished exchange into the history: the person and the model in turn."""
        for text in texts:
            shown = self.messages(conversation_id)
            reply = len(shown) % 2 == 1
            stats = {"reply_tokens": 42, "seconds": 2.0, "first_token_seconds": 0.1, "reason": "end"} if reply else None
            origin = Origin.GENERATED if reply else Origin.TYPED
            parent = shown[-1].id if shown else None
            self.add(conversation_id, "assistant" if reply else "user", text, parent, origin=origin, stats=stats)

    async def start(self, *, by_itself: bool = False, on_loading: Callable[[float], None] | None = None) -> Loaded:
        await self.load_gate.wait()
        if self.load_error:
            raise EngineError(self.load_error)
        shape = ("llama", 30, 576, 49152, 4096)
        return Loaded("model.gguf", "SmolLM2 135M Instruct", *shape, True, 0.4, Tuning(2), False, False)

    async def suggest_title(self, conversation_id: int) -> bool:
        if self.title_error:
            raise EngineError(self.title_error)
        if not self.title or len(self.messages(conversation_id)) != 2:
            return False
        self.rename(conversation_id, self.title)
        return True

    async def send(self, conversation_id: int, text: str) -> AsyncIterator[ChatEvent]:
        shown = self.messages(conversation_id)
        if not shown and not self._conversations[conversation_id].title:
            self.rename(conversation_id, text[:40])
        user = self._said(conversation_id, text, shown[-1].id if shown else None)
        yield UserMessage(user)
        async for event in self._reply(user):
            yield event

    async def regenerate(self, message_id: int) -> AsyncIterator[ChatEvent]:
        parent = self._messages[self._messages[message_id].parent_id or 0]
        async for event in self._reply(parent):
            yield event

    async def continue_reply(self, message_id: int) -> AsyncIterator[ChatEvent]:
        async for event in self._stream(self._messages[message_id]):
            yield event

    async def edit_own(self, message_id: int, text: str) -> AsyncIterator[ChatEvent]:
        old = self._messages[message_id]
        user = self._said(old.conversation_id, text, old.parent_id)
        yield UserMessage(user)
        async for event in self._reply(user):
            yield event

    async def compare(self, conversation_id: int, text: str) -> AsyncIterator[ChatEvent]:
        if not self.steering().on:
            raise AssistantError(f"nothing steers ({self.steering().note}), so both replies would be the same")
        if not self._conversations[conversation_id].title:
            self.rename(conversation_id, text[:40])
        shown = self.messages(conversation_id)
        user = self._said(conversation_id, text, shown[-1].id if shown else None)
        yield UserMessage(user)
        await self.load_gate.wait()
        self.stopped = False
        plain, steered = self._empty(user, NOT_STEERED), self._empty(user, self.steering())
        yield ReplyStarted(steered, self.steering())
        yield ReplyStarted(plain, NOT_STEERED)
        if self.prefill:
            yield Prefill(*self.prefill)
        for index, pieces in enumerate(zip(self.script, self.plain_script, strict=True)):
            if index == self.hold_at:
                await self.go.wait()
            if index == self.fail_at:
                for reply in (steered, plain):
                    self._change(reply.id, state=MessageState.FAILED)
                raise EngineError("engine: it ended while writing; write the prompt again")
            if self.stopped:
                break
            for side, (reply, piece) in enumerate(zip((steered, plain), pieces, strict=True)):
                self._change(reply.id, text=self._messages[reply.id].text + piece)
                yield Piece(piece, side)
        for side, reply in enumerate((steered, plain)):
            yield self._finished(reply, side)

    def prefer(self, message_id: int) -> Message:
        message = self.rate(message_id, 1)
        self._shown[(message.conversation_id, message.parent_id)] = message_id
        return message

    def edit_reply(self, message_id: int, text: str) -> Message:
        old = self._messages[message_id]
        return self.add(
            old.conversation_id,
            "assistant",
            text,
            old.parent_id,
            origin=Origin.EDITED,
            edited_from=message_id,
        )

    async def stop(self) -> None:
        self.stopped = True
        self.go.set()

    def rate(self, message_id: int, rating: int) -> Message:
        return self._change(message_id, rating=rating)

    def switch_branch(self, message_id: int, step: int) -> None:
        message = self._with_siblings(message_id)
        index = min(max(0, message.sibling_index + step), message.sibling_count - 1)
        self._shown[(message.conversation_id, message.parent_id)] = self._siblings(message)[index]

    def steering(self) -> SteeringStatus:
        state, current = self.profiles.state(), self.profiles.current()
        imported = tuple(VectorUse(one.name, one.strength) for one in self.vectors.list() if not one.why_off)
        if current is None:
            return SteeringStatus(bool(imported), None, state.strength, "" if imported else "no profile yet", imported)
        note = "" if state.enabled else "switched off"
        return SteeringStatus(state.enabled, current.version, state.strength, note, imported)

    async def close(self) -> None:
        self.closed = True

    def _said(self, conversation_id: int, text: str, parent_id: int | None) -> Message:
        return self.add(conversation_id, "user", text, parent_id, pasted=self.pastes.stretches(text))

    async def _reply(self, parent: Message) -> AsyncIterator[ChatEvent]:
        async for event in self._stream(self._empty(parent, self.steering())):
            yield event

    def _empty(self, parent: Message, status: SteeringStatus) -> Message:
        return self.add(
            parent.conversation_id,
            "assistant",
            "",
            parent.id,
            state=MessageState.STREAMING,
            origin=Origin.GENERATED,
            profile_version=status.version if status.on else None,
            strength=status.strength if status.on else None,
            vectors=status.imported,
        )

    async def _stream(self, reply: Message) -> AsyncIterator[ChatEvent]:
        await self.load_gate.wait()
        self.stopped = False
        yield ReplyStarted(reply, self.steering())
        if self.prefill:
            yield Prefill(*self.prefill)
        for index, piece in enumerate(self.script):
            if index == self.hold_at:
                await self.go.wait()
            if index == self.fail_at:
                self._change(reply.id, state=MessageState.FAILED)
                raise EngineError(
                    "engine: it ended while writing (out of memory); close other programs and press r on the reply"
                )
            if self.stopped:
                break
            text = self._messages[reply.id].text + piece
            self._change(reply.id, text=text)
            yield Piece(piece)
        yield self._finished(reply)

    def _finished(self, reply: Message, side: int = 0) -> ReplyFinished:
        stats = Finished("stopped" if self.stopped else "end", 20, 20, 42, 0.1, 2.0, 0, 62, 4096, side=side)
        state = MessageState.STOPPED if self.stopped else MessageState.COMPLETE
        return ReplyFinished(self._change(reply.id, state=state, stats=asdict(stats)), stats)

    def _change(self, message_id: int, **fields: object) -> Message:
        self._messages[message_id] = replace(self._messages[message_id], **fields)  # type: ignore[arg-type]
        return self._with_siblings(message_id)

    def _siblings(self, message: Message) -> list[int]:
        where = (message.conversation_id, message.parent_id)
        return [one.id for one in self._messages.values() if (one.conversation_id, one.parent_id) == where]

    def _with_siblings(self, message_id: int) -> Message:
        message = self._messages[message_id]
        siblings = self._siblings(message)
        return replace(message, sibling_index=siblings.index(message_id), sibling_count=len(siblings))


class ScriptedHistory:
    """The conversations of a scripted chat as a collection; a search finds a text in whatever case."""

    def __init__(self, chat: ScriptedChat) -> None:
        self._chat = chat
        self.searched: list[str] = []

    def conversations(self, *, archived: bool = False) -> list[Conversation]:
        found = [one for one in self._chat.conversations() if one.archived is archived]
        return sorted(found, key=lambda one: not one.pinned)

    def deleted(self) -> list[Conversation]:
        gone = [one for one in self._chat._conversations.values() if one.deleted_at is not None]
        return sorted(gone, key=lambda one: one.deleted_at or START, reverse=True)

    def search(self, query: str) -> list[SearchHit]:
        self.searched.append(query)
        hits = []
        for one in self._chat.conversations():
            spoken = [m for m in self._chat._messages.values() if m.conversation_id == one.id]
            places = [(None, None, one.title), *((m.id, m.role, m.text) for m in spoken)]
            for message_id, role, text in places:
                snippet = " ".join(text.split())[:90]
                if query.casefold() in text.casefold():
                    at = snippet.casefold().find(query.casefold())
                    marks = ((at, at + len(query)),) if at >= 0 else ()
                    hits.append(SearchHit(one.id, message_id, snippet, marks, one.title, role, START))
        return hits

    def show(self, message_id: int) -> None:
        message: Message | None = self._chat._messages[message_id]
        while message is not None:
            self._chat._shown[(message.conversation_id, message.parent_id)] = message.id
            message = self._chat._messages.get(message.parent_id or 0)

    def give_title(self, conversation_id: int, title: str) -> None:
        self._chat.rename(conversation_id, title)

    def set_pinned(self, conversation_id: int, pinned: bool) -> None:
        self._chat.change_conversation(conversation_id, pinned=pinned)

    def set_archived(self, conversation_id: int, archived: bool) -> None:
        self._chat.change_conversation(conversation_id, archived=archived)

    def set_tags(self, conversation_id: int, tags: Collection[str]) -> None:
        kept = tuple(tag.strip() for tag in tags if tag.strip())
        self._chat.change_conversation(conversation_id, tags=kept)

    def fork(self, message_id: int) -> Conversation:
        made = self._chat.new_conversation()
        message = self._chat._messages[message_id]
        self._chat.rename(made.id, self._chat._conversations[message.conversation_id].title)
        branch = self._chat.messages(message.conversation_id)
        parent = None
        for one in branch[: 1 + next(place for place, other in enumerate(branch) if other.id == message_id)]:
            parent = self._chat.add(made.id, one.role, one.text, parent, origin=one.origin, stats=one.stats).id
        return made

    def delete(self, conversation_id: int) -> None:
        moment = START + timedelta(seconds=len(self.deleted()))
        self._chat.change_conversation(conversation_id, deleted_at=moment)

    def restore(self, conversation_id: int) -> None:
        self._chat.change_conversation(conversation_id, deleted_at=None)


class ScriptedDrafts:
    """Drafts in memory; what was sent is what a test puts in."""

    def __init__(self, pastes: Pastes) -> None:
        self.pastes = pastes
        self.kept: dict[int | None, str] = {}
        self.past: list[str] = []

    def get(self, conversation_id: int | None) -> str:
        return self.kept.get(conversation_id, "")

    def keep(self, conversation_id: int | None, text: str) -> None:
        self.kept[conversation_id] = text

    def sent(self) -> list[tuple[datetime, str]]:
        return [(START.replace(tzinfo=UTC) + timedelta(hours=hour), text) for hour, text in enumerate(self.past)]
