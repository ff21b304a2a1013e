"""A person whose window is not in front is called when a long reply or a rebuild ends."""

import pytest
from textual import events

from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import complete, texts, write
from tests.tui.samples import app_of, with_items
from tui.attention import call_sequence


def test_what_each_terminal_understands() -> None:
    assert call_sequence("done", {"TERM": "xterm-kitty"}) == "\a\x1b]9;Assistant: done\a"
    assert call_sequence("done", {"TERM": "rxvt-unicode-256color"}) == "\a\x1b]777;notify;Assistant;done\a"
    inside = call_sequence("done", {"TERM": "tmux-256color", "TMUX": "/tmp/tmux,1,0"})
    assert inside == "\a\x1bPtmux;\x1b\x1b]9;Assistant: done\a\x1b\\"
    for plain in ({"TERM": "linux"}, {"TERM": "dumb"}, {}, {"TERM": "screen", "STY": "1.pts"}):
        assert call_sequence("done", plain) == "\a"


@pytest.mark.parametrize(
    ("seconds", "away", "wanted", "called"),
    [(0.0, True, True, True), (60.0, True, True, False), (0.0, False, True, False), (0.0, True, False, False)],
)
async def test_a_long_reply_calls_only_who_is_away(
    settle, monkeypatch: pytest.MonkeyPatch, seconds: float, away: bool, wanted: bool, called: bool
) -> None:
    monkeypatch.setattr("tui.app.LONG_SECONDS", seconds)
    assistant = ScriptedAssistant()
    assistant.change_setting("appearance", "notify", wanted)
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    written: list[str] = []
    async with app.run_test() as pilot:
        await write(pilot, "hi")
        await settle(pilot, lambda: texts(app)[1:] == ["The "])
        monkeypatch.setattr(app._driver, "write", written.append)
        if away:
            app.post_message(events.AppBlur())
            await settle(pilot, lambda: not app.app_focus)
        assistant.chat.go.set()
        await settle(pilot, complete(app))
        await settle(pilot)
        assert ("\a" in "".join(written)) is called
        assert "answer" not in "".join(written)  # nothing of what was said


async def test_the_end_of_a_rebuild_calls(settle, monkeypatch: pytest.MonkeyPatch) -> None:
    assistant = with_items()
    assistant.rebuild.error = "torch: it ended"
    app = app_of(assistant)
    written: list[str] = []
    async with app.run_test() as pilot:
        app.on_rebuild_panel_wanted()
        await settle(pilot, lambda: assistant.rebuild.runs == 1)
        monkeypatch.setattr(app._driver, "write", written.append)
        app.post_message(events.AppBlur())
        await settle(pilot, lambda: not app.app_focus)
        assistant.rebuild.go.set()
        await settle(pilot, lambda: "\a" in "".join(written))
