"""What the prompt understands beside messages, without a screen."""

import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.prompting.completion import completions
from tui.prompting.editor import EditorError, edited, editor_command
from tui.prompting.past import Past
from tui.prompting.slash import BY_NAME, COMMANDS, Ordered, Said, Unknown, read
from tui.screens.chat_commands import ON_APP, ON_CONVERSATION, ON_MESSAGE, ON_SCREEN, ChatCommands


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("hello", Said("hello")),
        ("/steer 0.8", Ordered(BY_NAME["steer"], "0.8")),
        ("/STEER  off ", Ordered(BY_NAME["steer"], "off")),
        ("/system be kind\nand short", Ordered(BY_NAME["system"], "be kind\nand short")),
        ("/new", Ordered(BY_NAME["new"], "")),
        ("/nwe", Unknown("nwe")),
        ("/", Unknown("")),
        ("//new", Said("/new")),
        (" /new", Said("/new")),
        ("/usr/bin/python is missing", Said("/usr/bin/python is missing")),
        ("/ alone", Said("/ alone")),
        ("either/or", Said("either/or")),
    ],
)
def test_a_slash_begins_a_command_and_can_be_said(text: str, meaning: object) -> None:
    assert read(text) == meaning


@given(st.text())
def test_every_text_can_be_said_literally(text: str) -> None:
    assert read(" " + text) in (Said(text.strip()), Unknown(""))
    assert read("//" + text) == Said(("/" + text).strip())


def test_every_command_is_done_by_something() -> None:
    done = {*ON_APP, *ON_CONVERSATION, *ON_MESSAGE, *ON_SCREEN}
    for command in COMMANDS:
        assert (command.name in done) != hasattr(ChatCommands, f"_{command.name}"), command.name


def test_completions_begin_as_written_and_then_hold_it() -> None:
    assert [one.label for one in completions("/co", {})] == ["/compare [TEXT]", "/continue", "/copy [code]"]
    assert [one.text for one in completions("/port", {})] == ["/import ", "/export "]
    assert len(completions("/", {})) == len(COMMANDS)
    for text in ("", "hello", "//c", " /c", "/copy\n", "/nothing "):
        assert completions(text, {}) == []


def test_what_can_follow_a_command_is_offered_until_it_is_whole() -> None:
    arguments = {"model": lambda: [("small.gguf", "ours"), ("large one.gguf", "file")]}
    assert [one.text for one in completions("/model ", arguments)] == ["/model small.gguf", "/model large one.gguf"]
    assert [one.text for one in completions("/model one", arguments)] == ["/model large one.gguf"]
    assert completions("/model small.gguf", arguments) == []
    assert completions("/new ", arguments) == []


def test_one_goes_back_and_forth_through_what_was_sent() -> None:
    past = Past(lambda: ["one", "two", "three"])
    assert [past.older() for _ in range(4)] == ["three", "two", "one", None]
    assert past.recalled == "one"
    assert [past.newer() for _ in range(3)] == ["two", "three", ""]
    assert past.recalled is None
    assert Past(list).older() is None


def editor(folder: Path, code: str) -> list[str]:
    script = folder / "editor.py"
    script.write_text(f"import pathlib, os, sys\npath = pathlib.Path(sys.argv[-1])\n{code}\n")
    return [sys.executable, str(script), "--wait"]


async def test_another_editor_has_a_private_file_that_is_gone_afterwards(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "editing"
    folder.mkdir(parents=True)
    (folder / "prompt-left-by-a-kill.md").write_text("old")
    note = tmp_path / "note"
    code = f"""
assert len(list(path.parent.iterdir())) == 1
pathlib.Path({str(note)!r}).write_text(oct(path.stat().st_mode))
path.write_text(path.read_text() + " and grüße\\n\\n")
"""
    assert await edited("written", editor(tmp_path, code), folder) == "written and grüße\n"
    assert stat.S_IMODE(int(note.read_text(), 8)) == 0o600
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("code", ["sys.exit(3)", "path.unlink()", "path.write_bytes(b'\\xff\\xfe\\xff')"])
async def test_an_editor_that_fails_loses_nothing(tmp_path: Path, code: str) -> None:
    with pytest.raises(EditorError, match="your text is as it was"):
        await edited("written", editor(tmp_path, code), tmp_path / "editing")
    assert list((tmp_path / "editing").iterdir()) == []


def test_which_editor_is_asked_for(tmp_path: Path) -> None:
    program = tmp_path / "my editor"
    program.touch(mode=0o700)
    search = {"PATH": os.pathsep.join([str(tmp_path)])}
    assert editor_command({**search, "VISUAL": "'my editor' -w", "EDITOR": "vi"}) == ["my editor", "-w"]
    assert editor_command({**search, "EDITOR": str(program).replace(" ", "\\ ")}) == [str(program)]
    for told in ({}, {"EDITOR": " "}, {"EDITOR": "nothere"}, {"VISUAL": "'open"}):
        with pytest.raises(EditorError, match="EDITOR"):
            editor_command({**search, **told})
