"""What the keys on a conversation in the list do."""

from __future__ import annotations

from assistant.app import Assistant
from assistant.records import Conversation
from assistant.visible import one_line, sanitise
from tui.hints import keys_of
from tui.screens.conversing import ConversingScreen
from tui.screens.forget import forget
from tui.telling import telling
from tui.widgets.conversations import UNTITLED, ConversationList, Wish
from tui.widgets.export_modal import ExportModal
from tui.widgets.text_modal import LineModal

NAMED_WIDTH = 40
UNDO_SECONDS = 10


class ConversationWishes:
    """Renames, pins, tags, archives, exports, deletes, takes a deletion back and forgets."""

    def __init__(self, screen: ConversingScreen, assistant: Assistant) -> None:
        self._screen = screen
        self._assistant = assistant
        self._history = assistant.history

    async def fulfil(self, event: ConversationList.Asked) -> None:
        """Do what was asked for with a conversation."""
        with telling(self._screen):
            await self._do(event.conversation, event.wish)
            self._screen.show_conversations()

    async def undo(self) -> bool:
        """Take the last deletion back; returns whether there was one.

        Raises: AssistantError: it cannot be taken back.
        """
        if not (deleted := self._history.deleted()):
            return False
        self._history.restore(deleted[0].id)
        if self._screen.shown is None:
            await self._screen.open(deleted[0].id)
        self._screen.show_conversations()
        self._tell(f"“{_name(deleted[0])}” is back.")
        return True

    async def _do(self, conversation: Conversation, wish: Wish) -> None:
        match wish:
            case "rename":
                title = await self._ask("Title of the conversation", conversation.title)
                if title:
                    self._history.give_title(conversation.id, title)
            case "tag":
                tags = await self._ask(
                    "Tags, with commas between them", ", ".join(conversation.tags), may_be_empty=True
                )
                if tags is not None:
                    self._history.set_tags(conversation.id, tags.split(","))
            case "pin":
                self._history.set_pinned(conversation.id, not conversation.pinned)
            case "archive":
                self._history.set_archived(conversation.id, not conversation.archived)
                key = keys_of(self._screen)["sidebar.archived"]
                back = "is back in the list" if conversation.archived else f"archived; {key} in the list shows it"
                self._tell(f"“{_name(conversation)}” {back}.")
            case "export":
                await self.export(conversation.id)
            case "delete":
                await self._delete(conversation)
            case "forget":
                await self.forget(conversation.id)

    async def export(self, conversation_id: int, path: str = "") -> None:
        """Write a conversation to a file that the person names, if not with `path` already."""
        modal = ExportModal(self._assistant.exporting, conversation_id, path)
        target = await self._screen.app.push_screen_wait(modal)
        if target is not None:
            self._tell(f"{sanitise(str(target))}: written.")

    async def forget(self, conversation_id: int) -> None:
        """Forget a conversation for good, after a question."""
        forgetting = self._assistant.forgetting
        if await forget(self._screen, forgetting, forgetting.conversations([conversation_id]), conversation_id):
            if conversation_id == self._screen.shown:
                await self._screen.open(None)
            self._screen.show_conversations()

    async def _delete(self, conversation: Conversation) -> None:
        await self._screen.end_reply(conversation.id)
        self._history.delete(conversation.id)
        if conversation.id == self._screen.shown:
            await self._screen.open(None)
        listed = isinstance(self._screen.focused, ConversationList)
        undo = keys_of(self._screen)["sidebar.undo"] if listed else "/undo"
        self._tell(f"Deleted “{_name(conversation)}”; {undo} undoes it.", UNDO_SECONDS)

    async def _ask(self, title: str, text: str, *, may_be_empty: bool = False) -> str | None:
        return await self._screen.app.push_screen_wait(LineModal(title, text, may_be_empty=may_be_empty))

    def _tell(self, text: str, seconds: float = 4) -> None:
        self._screen.notify(text, timeout=seconds, markup=False)


def _name(conversation: Conversation) -> str:
    return one_line(conversation.title, NAMED_WIDTH) or UNTITLED
