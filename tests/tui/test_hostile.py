"""Hostile text is shown as it is, everywhere, and moves nothing: markup, escapes, broken Unicode, endless lines."""

import io
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from textual.content import Content
from textual.widgets import Static

from assistant.errors import EngineError
from assistant.visible import sanitise
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import complete, views, write
from tests.tui.samples import app_of
from tui.prompting.completion import Completion
from tui.text import literal
from tui.widgets.completions import CompletionList
from tui.widgets.waiting import WaitingMessages

HOSTILE = {
    "markup": "[bold]b[/bold] [/] [@click=app.quit]quit[/] [link=http://x]l[/link] \\[x] [$accent]",
    "escapes": "\x1b[2J\x1b]0;title\x07\x1b]52;c;aGk=\x07\x9b31m\x1bP+q\x1b\\ \x08\x7f",
    "bidi": "\u202eevil\u202c \u2066a\u2069 \u200f",
    "zero width": "a\u200bb\u200dc\ufeffd\u00ade \U000e0041",
    "broken": "lone \ud800 and \udfff, \ufffe\uffff",
    "combining": "Z" + "\u0301" * 200,
    "wide": "日本語👩‍👩‍👧🏽🏳️‍🌈" * 5,
    "long line": "x" * 10_000,
    "long words": "word " * 2_000,
    "html": "<script>alert(1)</script> <b>bold</b> &amp; <!-- gone? -->",
    "links": "[text](javascript:alert(1)) <http://example.org> ![image](http://example.org/x.png)",
}
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def on_screen(app) -> str:
    """What the terminal would get, colours left out."""
    width, _ = app.size
    console = Console(file=io.StringIO(), width=width, force_terminal=False, legacy_windows=False)
    for strip in app.screen._compositor.render_strips():
        console.file.write("".join(segment.text for segment in strip if not segment.control) + "\n")
    return console.file.getvalue()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_it_is_shown_in_every_place_and_nothing_breaks(settle, text: str) -> None:
    assistant = ScriptedAssistant()
    middle = len(text) // 2
    assistant.chat.script = [text[:middle], text[middle:], " end"]
    assistant.chat.title = text[:200]
    app = app_of(assistant)
    async with app.run_test(size=(140, 45), notifications=True) as pilot:
        await write(pilot, text)
        await settle(pilot, lambda: complete(app)() and not app.screen.live.running)
        shown = on_screen(app)
        assert not CONTROLS.search(shown.replace("\n", ""))
        own, reply = views(app)
        assert own.query_one(".body").content.plain == sanitise(text.strip())
        assert reply.record.text == text + " end"
        assert "end" in shown
        app.screen.query_one(WaitingMessages).show(None)
        app.screen.query_one(CompletionList).offer([Completion(text, text[:100], text[:100])], 0)
        await app.screen.show_error(EngineError(text[:300]))
        await settle(pilot)
        assert not CONTROLS.search(on_screen(app).replace("\n", ""))
        assert app.is_running


async def test_markup_in_a_reply_is_no_style_and_no_action(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.script = [HOSTILE["markup"], "\n\n", HOSTILE["html"]]
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await write(pilot, "hi")
        await settle(pilot, lambda: complete(app)() and not app.screen.live.running)
        shown = on_screen(app)
        for kept in ("[bold]b[/bold]", "[@click=app.quit]quit[/]", "<script>alert(1)</script>", "<b>bold</b>"):
            assert kept in shown
        for y in range(0, 45, 9):  # a click anywhere on the reply quits nothing and opens nothing
            await pilot.click(offset=(45, y))
        assert app.is_running


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.text(st.characters(exclude_categories=[]), max_size=400))
def test_what_is_drawn_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    content = literal(text)
    assert isinstance(content, Content)
    assert not CONTROLS.search(content.plain.replace("\n", "").replace("\t", ""))
    assert content.spans == []
    rendered = Static(content).visual
    assert rendered is not None
