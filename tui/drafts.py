"""What is written and not yet sent stays with its conversation: when another one is shown, and over a kill."""

from __future__ import annotations

import time
from collections.abc import Callable

from textual.timer import Timer
from textual.widget import Widget

from assistant.errors import AssistantError
from assistant.history.drafts import Drafts
from assistant.visible import sanitise
from tui.telling import telling

PAUSE_SECONDS = 0.4
"""Keys that follow each other faster are stored together."""
SHARE = 0.05
"""Of the time that storing may take: a draft of a megabyte takes long and is stored less often."""


class DraftKeeper:
    """Stores drafts a moment after they change; what waits to be sent goes before, so that no kill loses it."""

    def __init__(self, widget: Widget, drafts: Drafts, waiting: Callable[[int | None], list[str]]) -> None:
        self._widget, self._drafts, self._waiting = widget, drafts, waiting
        self._texts: dict[int | None, str] = {}
        self._timers: dict[int | None, Timer] = {}
        self._told = False
        self._took = 0.0

    def read(self, conversation_id: int | None) -> str:
        """The draft in a conversation, as it was left here or by a program before."""
        if conversation_id not in self._texts:
            with telling(self._widget):
                return sanitise(self._drafts.get(conversation_id))
        return self._texts.get(conversation_id, "")

    def changed(self, conversation_id: int | None, text: str) -> None:
        """Store a draft soon."""
        if self._texts.get(conversation_id) == text:
            return
        self._texts[conversation_id] = text
        if conversation_id not in self._timers:
            pause = max(PAUSE_SECONDS, self._took / SHARE)
            timer = self._widget.set_timer(pause, lambda: self.store(conversation_id))
            self._timers[conversation_id] = timer

    def store(self, conversation_id: int | None) -> None:
        """Store a draft now."""
        if timer := self._timers.pop(conversation_id, None):
            timer.stop()
        began = time.perf_counter()
        texts = [*self._waiting(conversation_id), self._texts.get(conversation_id, "")]
        try:
            self._drafts.keep(conversation_id, "\n\n".join(text for text in texts if text))
            self._told = False
        except AssistantError as error:
            if not self._told:  # not at every key, on a disk that is full
                self._widget.notify(sanitise(str(error)), title="The draft is not kept", severity="error", markup=False)
            self._told = True
        self._took = time.perf_counter() - began

    def store_all(self) -> None:
        """Store what is due, before the program ends."""
        for conversation_id in list(self._timers):
            self.store(conversation_id)
