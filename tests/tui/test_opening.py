"""What the program does by itself when it opens."""

from tests.tui.doubles import ScriptedAssistant
from tests.tui.samples import app_of


def notified(app) -> list[str]:
    return [note.message for note in app._notifications]


async def test_the_history_is_copied_when_the_program_opens(settle) -> None:
    assistant = ScriptedAssistant()
    async with app_of(assistant).run_test() as pilot:
        await settle(pilot, lambda: assistant.backups == 1)
        assert notified(pilot.app) == []


async def test_a_history_that_can_only_be_read_says_so_and_is_not_copied(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.only_reading = "history.db: no space is left on the disk [bold]; free some"
    async with app_of(assistant).run_test() as pilot:
        await settle(pilot, lambda: notified(pilot.app) == [assistant.only_reading])
        assert assistant.backups == 0
