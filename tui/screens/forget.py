"""Forgetting for good, as the keys on a conversation and on a message do it."""

from __future__ import annotations

from assistant.history.forgetting import Forgetting
from assistant.records import Doomed, Forgotten
from tui.moving_words import forgotten_words
from tui.screens.conversing import ConversingScreen
from tui.widgets.forget_modal import ForgetModal


async def forget(screen: ConversingScreen, forgetting: Forgetting, doomed: Doomed, conversation_id: int) -> bool:
    """Say what would go of a conversation, ask, and forget it; returns whether it was. To be called in a worker.

    Raises: AssistantError: nothing was removed, or the overwriting is due.
    """
    answer = await screen.app.push_screen_wait(ForgetModal(forgetting.forecast(doomed)))
    if answer == "keep":
        return False
    await screen.end_reply(conversation_id)
    found = forgetting.forget(doomed, remove_versions=answer == "remove")
    screen.notify("\n".join([f"Forgotten: {forgotten_words(found)}.", *_after(found, answer == "remove")]), timeout=8)
    return True


def _after(found: Forgotten, removed: bool) -> list[str]:
    lines = []
    if found.profile_in_use is not None:
        state = "was in use: steering is off" if removed else "is in use and stale"
        lines.append(f"Version {found.profile_in_use} {state}; a rebuild learns anew.")
    if not found.erased:
        lines.append("Another assistant uses the history: the bytes are overwritten when it is next opened.")
    return lines
