"""Where the person writes: the prompt, completions and what waits above it, drafts, another editor."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from textual import work
from textual.app import ComposeResult, SuspendNotSupported
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import TextArea

from assistant.history.drafts import Drafts
from assistant.visible import one_line, sanitise
from tui.drafts import DraftKeeper
from tui.prompting.completion import Completion
from tui.prompting.editor import EditorError, edited, editor_command
from tui.prompting.slash import Ordered, Said, read
from tui.telling import telling
from tui.widgets.chat_prompt import ChatPrompt
from tui.widgets.completions import CompletionList
from tui.widgets.prompt import Prompt
from tui.widgets.waiting import WaitingMessage, WaitingMessages

NAMED_WIDTH = 40


class Writing(Vertical):
    """What is written belongs to the conversation that is shown, and stays with it until it is sent."""

    DEFAULT_CSS = "Writing { height: auto; }"

    class Sent(Message):
        """A text for the model."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Commanded(Message):
        """A slash command."""

        def __init__(self, ordered: Ordered) -> None:
            super().__init__()
            self.ordered = ordered

    def __init__(self, drafts: Drafts, complete: Callable[[str], list[Completion]], editing: Path) -> None:
        """`editing` is the folder for a prompt that is written in another editor."""
        super().__init__()
        self._sent_before, self._editing = drafts.sent, editing
        self._begun = False
        self._shown: int | None = None
        self._ordered: list[tuple[datetime, str]] = []
        self._waiting = WaitingMessages()
        self._drafts = DraftKeeper(self, drafts, self._waiting.texts)
        self._completions = CompletionList()
        self._prompt = ChatPrompt(drafts.pastes, complete, self._sent, self._take_back)

    def compose(self) -> ComposeResult:
        yield self._waiting
        yield self._completions
        yield self._prompt

    def show(self, conversation_id: int | None) -> None:
        """Go to what is written in a conversation, None: in a chat that is not begun."""
        if self._begun:
            if conversation_id == self._shown:
                return
            self._drafts.changed(self._shown, self._prompt.text)
        self._begun, self._shown = True, conversation_id
        self._prompt.put(self._drafts.read(conversation_id))
        self._waiting.show(conversation_id)

    def begin(self, conversation_id: int) -> None:
        """The chat that is shown has become a conversation."""
        self._shown = conversation_id
        self._drafts.changed(None, "")
        self._waiting.show(conversation_id)

    def wait(self, conversation_id: int, text: str) -> None:
        """Let a text wait until the reply that runs is written."""
        self._waiting.add(conversation_id, text)
        self.store(conversation_id)

    def keep_waiting(self, conversation_id: int) -> None:
        """What waits in a conversation becomes its draft, before what is written there."""
        if waiting := self._waiting.drop(conversation_id):
            self.give_back(conversation_id, *waiting)

    def give_back(self, conversation_id: int | None, *texts: str) -> None:
        """Texts that are not sent become the draft of a conversation, before what is written there."""
        text = "\n\n".join(text for text in (*texts, self._drafts.read(conversation_id)) if text)
        if conversation_id == self._shown:
            self._prompt.put(text)
        self._drafts.changed(conversation_id, text)
        self._drafts.store(conversation_id)

    def next(self) -> WaitingMessage | None:
        """The text whose turn it is, which no longer waits."""
        return self._waiting.next()

    def store(self, conversation_id: int | None) -> None:
        """Store what is written there now, in a chat that has just begun no longer as that of one that is not."""
        self._drafts.changed(self._shown, self._prompt.text)
        for one in {conversation_id, None}:
            self._drafts.store(one)

    def store_all(self) -> None:
        """Store what is written, before the program ends."""
        self._drafts.store_all()

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        event.stop()
        match read(event.text):
            case Ordered() as ordered:
                self._ordered.append((datetime.now(UTC), event.text))
                self.store(self._shown)
                self.post_message(self.Commanded(ordered))
            case Said(text=text) if text:  # the draft is its copy until it is stored as what it is
                self.post_message(self.Sent(text))

    def on_chat_prompt_not_known(self, event: ChatPrompt.NotKnown) -> None:
        name = one_line(event.name, NAMED_WIDTH)
        said = f"There is no command /{name}. / lists all; //{name} is said to the model as /{name}."
        self.notify(said, severity="warning", markup=False)

    def on_chat_prompt_offered(self, event: ChatPrompt.Offered) -> None:
        self._completions.offer(event.choices, event.chosen)

    def on_completion_list_taken(self, event: CompletionList.Taken) -> None:
        self._prompt.take(event.place)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        self._prompt.reconsider()
        self._drafts.changed(self._shown, self._prompt.text)

    def _sent(self) -> list[str]:
        """What was sent, commands too, the oldest first."""
        with telling(self):
            sent = sorted([*self._sent_before(), *self._ordered])
            return [sanitise(text) for _, text in sent]
        return []

    def _take_back(self) -> str | None:
        text = self._waiting.take_back()
        if text is not None:
            self.store(self._shown)
        return text

    def on_chat_prompt_editor_asked(self) -> None:
        self.write_in_editor()

    @work
    async def write_in_editor(self) -> None:
        """Write in an editor of the person's own; the screen waits, a reply goes on."""
        try:
            command = editor_command(os.environ)
            with self.app.batch_update(), self.app.suspend():
                text = await edited(self._prompt.text, command, self._editing)
        except (EditorError, SuspendNotSupported) as error:
            self.notify(sanitise(str(error)), title="No editor", severity="warning", markup=False)
        else:
            self._prompt.put(sanitise(text))
        self._prompt.focus()
