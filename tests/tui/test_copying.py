"""Copying: a message, its code by key, mouse and choice, through the terminal and the system's own program."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import complete, views, write
from tests.tui.samples import app_of, with_conversations
from tui.clipboard import clipboard_tool, hand_over
from tui.markdown import Code, code_blocks, has_code
from tui.widgets.choice import ChoiceModal
from tui.widgets.code_block import CodeBlock, CopyLine

TWO = "First\n\n```python\nprint('[b]one[/b]')\n```\n\nthen\n\n~~~\ntwo\n\nlines\n~~~\n"


def test_code_is_found_as_it_is_written() -> None:
    assert code_blocks(TWO) == [Code("python", "print('[b]one[/b]')"), Code("", "two\n\nlines")]
    assert code_blocks("```sh title=x\nunclosed") == [Code("sh", "unclosed")]
    assert code_blocks("- in a list\n\n  ```\n  code\n  ```") == [Code("", "code")]
    assert code_blocks("inline `code` and\n\n    indented") == []


@given(st.text())
def test_code_survives_between_fences(text: str) -> None:
    lines = [line for line in text.split("\n") if "`" not in line and "\r" not in line and "\0" not in line]
    code = "\n".join(lines).strip("\n")
    found = code_blocks(f"before\n\n```\n{code}\n```\nafter")
    assert [block.text for block in found] == [code]
    assert has_code("```") and not has_code("no fence")


def script(folder: Path, name: str) -> None:
    program = folder / name
    program.write_text(
        f"#!{sys.executable}\nimport sys, pathlib\n"
        f"pathlib.Path({str(folder / 'taken')!r}).write_bytes(sys.stdin.buffer.read())\n"
    )
    program.chmod(0o700)


def test_which_program_takes_the_text(tmp_path: Path) -> None:
    for name in ("wl-copy", "xclip", "xsel", "tmux", "pbcopy"):
        script(tmp_path, name)
    here = {"PATH": str(tmp_path)}

    def tool(platform: str = "linux", **more: str) -> str | None:
        found = clipboard_tool({**here, **more}, platform)
        return found[0] if found else None

    assert tool() is None
    assert tool(WAYLAND_DISPLAY="wayland-0", DISPLAY=":0", TMUX="x") == "wl-copy"
    assert tool(DISPLAY=":0", TMUX="x") == "xclip"
    assert tool(TMUX="x") == "tmux"
    assert tool("darwin", HOME="/Users/ada") == "pbcopy"
    assert tool("darwin", HOME="/Users/ada", SSH_CONNECTION="1") is None
    (tmp_path / "xclip").unlink()
    assert tool(DISPLAY=":0") == "xsel"


async def test_a_program_that_fails_is_left_alone(tmp_path: Path) -> None:
    script(tmp_path, "good")
    await hand_over("grüße 🎉 \ud800", (str(tmp_path / "good"),))
    assert (tmp_path / "taken").read_bytes() == "grüße 🎉 ?".encode()
    await hand_over("text", (str(tmp_path / "absent"),))
    await hand_over("x" * 1_000_000, ("false",))


def with_reply(text: str) -> ScriptedAssistant:
    assistant = ScriptedAssistant()
    talk = assistant.chat.new_conversation()
    assistant.chat.say(talk.id, "hi", text)
    return assistant


async def test_the_only_code_is_copied_by_a_key(settle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, "wl-copy")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    app = app_of(with_conversations())
    async with app.run_test() as pilot:
        await pilot.press("shift+tab", "Y")
        await settle(pilot, lambda: app.clipboard.startswith("ratio = 80 / 1000\nprint("))
        taken = tmp_path / "taken"
        await settle(pilot, lambda: taken.exists() and taken.read_text() == app.clipboard)


@pytest.mark.parametrize(
    ("keys", "copied"),
    [
        ("enter", "print('[b]one[/b]')"),
        ("j enter", "two\n\nlines"),
        ("end enter", "print('[b]one[/b]')\n\ntwo\n\nlines"),
        ("escape", ""),
    ],
)
async def test_of_several_blocks_one_is_chosen(settle, keys: str, copied: str) -> None:
    app = app_of(with_reply(TWO))
    async with app.run_test() as pilot:
        await pilot.press("shift+tab", "Y")
        await settle(pilot, lambda: isinstance(app.screen, ChoiceModal))
        await pilot.press(*keys.split())
        await settle(pilot, lambda: len(app.screen_stack) == 2)
        assert app.clipboard == copied


async def test_code_is_copied_by_the_mouse_also_after_streaming(settle) -> None:
    assistant = ScriptedAssistant()
    assistant.chat.script = ["Here:\n\n```p", "ython\na = 1", "\n\tb = '\x1b[2J'\n``", "`\n\nDone."]
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await write(pilot, "hi")
        await settle(pilot, complete(app))
        await settle(pilot, lambda: bool(app.screen.query(CopyLine)))
        assert app.screen.query_one(CopyLine).content.plain == "python · ⧉ copy"
        await pilot.click(CopyLine, offset=(3, 0))
        await settle(pilot, lambda: app.clipboard == "a = 1\n\tb = '␛[2J'")
        await pilot.click(CodeBlock, offset=(4, 1))
        assert app.clipboard == "a = 1\n\tb = '␛[2J'"


async def test_what_is_copied_is_what_is_seen(settle) -> None:
    app = app_of(with_reply("safe \x1b[201~ and \ud800"))
    async with app.run_test() as pilot:
        await pilot.press("shift+tab", "y")
        await settle(pilot, lambda: app.clipboard == "safe ␛[201~ and ⟨U+D800⟩")
        await pilot.press("Y")
        assert app.clipboard.startswith("safe")


async def test_a_text_too_long_to_draw_is_copied_whole(settle) -> None:
    assistant = with_conversations()
    text = "word " * 60_000
    assistant.chat.say(3, text)
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await settle(pilot, lambda: bool(views(app)))
        shown = views(app)[-1].query_one(".body").content.plain
        assert len(shown) < 41_000
        assert "260,000 more characters" in shown
        await pilot.press("shift+tab", "y")
        await settle(pilot, lambda: app.clipboard == text)
        assert views(app)[-1].record.text == text
