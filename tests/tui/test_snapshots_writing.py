"""How the prompt looks while a command is written and while messages wait, at the smallest and at a generous size."""

import pytest

from tests.tui import reading, samples
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import texts, write
from tui.widgets.choice import ChoiceModal
from tui.widgets.completions import CompletionList
from tui.widgets.waiting import WaitingMessages

sizes = pytest.mark.parametrize("size", [(80, 24), (140, 45)], ids=["80x24", "140x45"])


async def until(pilot, ready) -> None:
    await reading.until(pilot, ready)
    for _ in range(5):
        await pilot.pause()


@sizes
def test_a_command_being_written(snap_compare, size) -> None:
    async def begin(pilot) -> None:
        await pilot.press(*"/s", "down")
        await until(pilot, lambda: pilot.app.screen.query_one(CompletionList).highlighted == 1)

    assert snap_compare(samples.app_of(samples.with_conversations()), terminal_size=size, run_before=begin)


@sizes
def test_messages_that_wait(snap_compare, size) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.hold_at = 1

    async def send(pilot) -> None:
        await write(pilot, "Why is the sky blue?")
        await until(pilot, lambda: texts(pilot.app)[1:] == ["The "])
        for text in ("[b]and[/b] the sea?\nin two lines", samples.CONTEXT * 3):
            await write(pilot, text)
        await until(pilot, lambda: len(pilot.app.screen.query_one(WaitingMessages).texts(1)) == 2)

    assert snap_compare(samples.app_of(assistant), terminal_size=size, run_before=send)


@sizes
def test_choosing_code(snap_compare, size) -> None:
    assistant = ScriptedAssistant()
    talk = assistant.chat.new_conversation()
    assistant.chat.say(talk.id, "hi", f"{samples.MARKDOWN}\n\n```\n{samples.HOSTILE}\n```")

    async def choose(pilot) -> None:
        await pilot.press("shift+tab", "Y")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceModal))

    assert snap_compare(samples.app_of(assistant), terminal_size=size, run_before=choose)
