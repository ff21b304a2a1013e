"""Offers a rebuild in the chat once enough has come, or begins one where the person has chosen that."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from textual.timer import Timer

from assistant.app import Assistant
from assistant.errors import AssistantError
from assistant.profile.news import News
from tui.rebuild_job import RebuildJob
from tui.screens.chat import ChatScreen

QUIET_SECONDS = 1.0
"""After what may have brought news, so that the next key or another rating comes first."""


class Offering:
    """Looks after the moments at which something may have changed, never while one writes or a reply streams in."""

    def __init__(self, assistant: Assistant, job: RebuildJob, chat: ChatScreen, begin: Callable[[News], None]) -> None:
        """`begin` starts a rebuild that nobody has asked for."""
        self._assistant, self._job, self._chat, self._begin = assistant, job, chat, begin
        self._timer: Timer | None = None
        self._offered: News | None = None

    def look_soon(self) -> None:
        """Something may have changed: look in a moment."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._chat.set_timer(QUIET_SECONDS, self._look_beside)

    def put_off(self) -> None:
        """Offer none until much more has come."""
        if self._offered is not None:
            self._assistant.offer.put_off(self._offered)
        self.take_back()

    def take_back(self) -> None:
        """Offer none now."""
        self._offered = None
        self._chat.offer_rebuild("")

    def _look_beside(self) -> None:
        self._chat.run_worker(self._look(), group="offer", exclusive=True)

    async def _look(self) -> None:
        # What is wrong with the history is said by what the person does with it.
        with suppress(AssistantError):
            news = await self._assistant.offer.news()
            if self._job.running or self._assistant.only_reading or not self._assistant.offer.due(news):
                self.take_back()
                return
            self._offered = news
            self._chat.offer_rebuild(news.words)
            chosen = self._assistant.settings.preferences.rebuild_automatically
            if chosen and self._chat.idle and self._assistant.offer.untried(news):
                self._assistant.offer.note_try(news)
                self._begin(news)
