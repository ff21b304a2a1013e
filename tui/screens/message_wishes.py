"""What the keys on a focused message do."""

from __future__ import annotations

from assistant.app import Assistant
from assistant.errors import AssistantError
from assistant.figures import count
from assistant.visible import one_line, sanitise
from tui.hints import with_keys
from tui.markdown import Code, code_blocks
from tui.screens.conversing import ConversingScreen
from tui.screens.forget import forget
from tui.telling import telling
from tui.widgets.choice import ChoiceModal
from tui.widgets.message import MessageView
from tui.widgets.messages import MessageList
from tui.widgets.text_modal import TextModal

RATINGS = {"up": 1, "down": -1}
TOLD_WIDTH = 40
STEPS = {"older": -1, "newer": 1, "previous": -1, "next": 1}
NEEDS_QUIET = {"edit", "regenerate", "continue", "older", "newer", "forget"}
"""Wishes that change the branch, which a running reply stands on."""


class MessageWishes:
    """Copies, edits, rates, regenerates, forks, forgets and switches branches."""

    def __init__(self, screen: ConversingScreen, assistant: Assistant, messages: MessageList) -> None:
        self._screen = screen
        self._assistant = assistant
        self._chat = assistant.chat
        self._messages = messages

    async def fulfil(self, view: MessageView, wish: str) -> None:
        """Do what was asked for with a message."""
        if wish in NEEDS_QUIET and self._screen.live.running:
            self._screen.notify(
                with_keys(self._screen, "A reply is being written; {chat.stop} stops it."), severity="warning"
            )
            return
        try:
            await self._do(view, wish)
        except AssistantError as error:
            await self._screen.show_error(error)

    async def _do(self, view: MessageView, wish: str) -> None:
        match wish:
            case "next" | "previous":
                await self._move(view, STEPS[wish])
            case "copy":
                self._copy(view.record.text)
            case "code":
                self._screen.run_worker(self._copy_code(view.record.text))
            case "up" | "down":
                rating = 0 if view.record.rating == RATINGS[wish] else RATINGS[wish]
                view.show_record(self._chat.rate(view.record.id, rating))
            case "older" | "newer":
                await self._switch(view, STEPS[wish])
            case "fork":
                fork = self._assistant.history.fork(view.record.id)
                await self._screen.open(fork.id)
                self._screen.action_to_prompt()
                self._screen.notify("A copy up to this message; the first conversation stays as it is.")
            case "forget":
                self._screen.run_worker(self._forget(view))
            case "edit":
                self._screen.run_worker(self._edit(view))
            case "regenerate":
                self._screen.converse(self._chat.regenerate(view.record.id), view.record.conversation_id)
            case "continue":
                self._screen.converse(self._chat.continue_reply(view.record.id), view.record.conversation_id)

    def _copy(self, text: str) -> None:
        # As it is seen: an escape in it would be obeyed where it is pasted.
        self._screen.app.copy_to_clipboard(sanitise(text))
        self._screen.notify("Copied.", timeout=2)

    async def _copy_code(self, text: str) -> None:
        blocks = code_blocks(text)
        if not blocks:
            self._screen.notify("There is no code in it.", severity="warning")
        elif len(blocks) == 1:
            self._copy(blocks[0].text)
        else:
            choices = [*(_line(block) for block in blocks), f"All {len(blocks)}"]
            place = await self._screen.app.push_screen_wait(ChoiceModal("Copy which code?", choices))
            if place is not None:
                self._copy("\n\n".join(block.text for block in (blocks[place : place + 1] or blocks)))

    async def _move(self, view: MessageView, step: int) -> None:
        neighbour = await self._messages.neighbour(view, step)
        if neighbour is not None:
            neighbour.focus()
        elif step > 0:
            self._screen.action_to_prompt()

    async def _switch(self, view: MessageView, step: int) -> None:
        conversation_id, parent = view.record.conversation_id, view.record.parent_id
        self._chat.switch_branch(view.record.id, step)
        shown = next(other for other in self._chat.messages(conversation_id) if other.parent_id == parent)
        await self._screen.open(conversation_id, shown.id)

    async def _forget(self, view: MessageView) -> None:
        forgetting, conversation_id = self._assistant.forgetting, view.record.conversation_id
        with telling(self._screen):
            if await forget(self._screen, forgetting, forgetting.messages([view.record.id]), conversation_id):
                await self._screen.open(conversation_id)
                self._screen.action_to_prompt()

    async def _edit(self, view: MessageView, unsaved: str = "") -> None:
        record = view.record
        reply = record.role == "assistant"
        title = "The reply as you would have liked it" if reply else "Your message; it is answered anew"
        text = await self._screen.app.push_screen_wait(TextModal(title, unsaved or record.text, self._chat.pastes))
        if text is None:
            return
        if not reply:
            self._screen.converse(self._chat.edit_own(record.id, text), record.conversation_id, text)
            return
        try:
            edited = self._chat.edit_reply(record.id, text)
        except AssistantError as error:
            await self._screen.show_error(error)
            await self._edit(view, text)  # what was written is not lost
            return
        (await self._messages.place(edited)).focus()


def _line(block: Code) -> str:
    told = f"{block.language or 'text'}, {count(len(block.text.splitlines()), 'line')}"
    return f"{one_line(told, TOLD_WIDTH)}: {one_line(block.text, TOLD_WIDTH)}"
