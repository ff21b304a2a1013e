"""Drawing a reply that grows takes a fixed share of the time, loses nothing, and costs no more at its end."""

import asyncio
import time

from textual.app import App, ComposeResult
from textual.widgets import Static

from assistant.records import MessageState
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import texts, views, write
from tests.tui.samples import app_of
from tui.widgets.code_block import CodeBlock
from tui.widgets.paced_stream import PacedStream
from tui.widgets.reply_markdown import ReplyMarkdown


class Counting(App[None]):
    """A Markdown widget that counts how often it is appended to, each time at a price."""

    def __init__(self, price: float = 0.0) -> None:
        super().__init__()
        self.price, self.appended = price, []

    def compose(self) -> ComposeResult:
        yield ReplyMarkdown()

    def on_mount(self) -> None:
        markdown = self.query_one(ReplyMarkdown)
        real = markdown.append

        def append(text: str):
            self.appended.append(text)
            end = time.thread_time() + self.price
            while time.thread_time() < end:
                pass
            return real(text)

        markdown.append = append  # type: ignore[method-assign]


async def stream(app: Counting, pieces: int, pause: float) -> None:
    paced = PacedStream(app.query_one(ReplyMarkdown))
    for number in range(pieces):
        paced.write(f"{number} ")
        await asyncio.sleep(pause)
    await paced.stop()


async def test_pieces_go_together_as_drawing_gets_dearer_and_none_is_lost() -> None:
    drawn = {}
    for price in (0.0, 0.1):
        async with (app := Counting(price)).run_test():
            await stream(app, 120, 0.005)
            assert "".join(app.appended) == "".join(f"{number} " for number in range(120))
            assert app.query_one(ReplyMarkdown).source == "".join(app.appended)
            drawn[price] = len(app.appended)
    assert drawn[0.1] <= 12 < drawn[0.0]


async def test_a_stream_that_ends_at_the_moment_of_drawing_ends() -> None:
    async with (app := Counting()).run_test():
        markdown = app.query_one(ReplyMarkdown)
        waiting = []
        markdown.call_after_refresh = lambda drawn: waiting.append(drawn) or True  # type: ignore[method-assign]
        for steps in range(6):
            paced = PacedStream(markdown)
            paced.write("word ")
            while not waiting:
                await asyncio.sleep(0)
            waiting.pop()()
            for _ in range(steps):
                await asyncio.sleep(0)
            async with asyncio.timeout(30):
                await paced.stop()


async def test_a_long_block_of_code_is_coloured_when_it_is_whole(settle) -> None:
    assistant = ScriptedAssistant()
    lines = [f"value_{number} = {number}\n" for number in range(200)]
    assistant.chat.script = ["```python\n", *lines, "```\n"]
    assistant.chat.hold_at = 150
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await write(pilot, "hi")
        await settle(pilot, lambda: bool(texts(app)[1:]) and "value_148 = 148" in texts(app)[1])
        await settle(pilot, lambda: any("value_148" in block.code for block in app.screen.query(CodeBlock)))
        code = app.screen.query_one(CodeBlock)
        assert code._highlighted_code.spans == []
        assistant.chat.go.set()
        await settle(pilot, lambda: not app.screen.live.running)
        code = app.screen.query_one(CodeBlock)
        assert code.code == "".join(lines).rstrip("\n")
        assert len(code._highlighted_code.spans) > 200


async def test_folded_thoughts_are_drawn_when_they_are_opened(settle) -> None:
    assistant = ScriptedAssistant()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await write(pilot, "hi")
        await settle(pilot, lambda: len(views(app)) == 2 and not app.screen.live.running)
        view = views(app)[-1]
        for number in range(30):
            await view.think(f"[b]thought[/b] {number} ")
        await settle(pilot, lambda: bool(view.query(".thought")))
        await pilot.press("shift+tab", "t")
        await settle(pilot, lambda: view.query_one(".thought", Static).content.plain.endswith("[b]thought[/b] 29"))
        assert view.record.state is MessageState.COMPLETE
