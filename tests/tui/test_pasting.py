"""What comes in by a paste is known when it is sent, whatever was done with it meanwhile."""

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from textual import events
from textual.widgets import DataTable, Static, TextArea

from assistant.app import Assistant
from assistant.profile.preferences import LearnableItem
from assistant.records import Passage, PreferenceItem, Reason, Source
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import complete, texts, until, views, write
from tests.tui.samples import app_of, with_profile
from tui.app import AssistantApp
from tui.screens.compare import CompareScreen
from tui.widgets.prompt import Prompt
from tui.widgets.text_modal import TextModal

DOCUMENT = "\n".join(" ".join(f"strange{line}x{word}" for word in range(10)) for line in range(6))
OWN = " ".join(f"mine{number}" for number in range(60))


def prompt(app) -> Prompt:
    return app.screen.query_one(Prompt)


async def paste(pilot, text: str, area: TextArea | None = None) -> None:
    """As a terminal hands it over, with its own line ends."""
    area = area or prompt(pilot.app)
    before = area.text
    area.post_message(events.Paste(text.replace("\n", "\r\n")))
    await until(pilot, lambda: area.text != before)


def said(app) -> list[tuple[str, list[str]]]:
    """What the person said, each with what of it was pasted."""
    return [(view.record.text, view.record.pasted_parts) for view in views(app) if view.record.role == "user"]


async def send(pilot) -> tuple[str, list[str]]:
    """Send what is written; what was said then."""
    count = len(views(pilot.app))
    await pilot.press("enter")
    await until(pilot, lambda: len(views(pilot.app)) >= count + 2 and complete(pilot.app)())
    return said(pilot.app)[-1]


@pytest.mark.parametrize("lines", [14, 60, 3000])
async def test_a_paste_is_taken_back_and_made_again(lines: int) -> None:
    """Textual drew the shorter text with the cursor where it had been."""
    pasted = "\n".join(map(str, range(lines)))
    app = app_of(ScriptedAssistant())
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press(*"mine")
        await paste(pilot, pasted)
        await pilot.press("ctrl+z")
        assert prompt(app).text == "mine"
        await pilot.press("ctrl+y")
        assert prompt(app).text == f"mine{pasted}"
        assert prompt(app).selection.end == (lines - 1, len(str(lines - 1)))
        await pilot.press("ctrl+z", "ctrl+z", "ctrl+z")
        assert prompt(app).text == ""
        await pilot.press(*(["ctrl+j"] * 13), *(["ctrl+z"] * 13))
        assert prompt(app).text == ""


async def test_a_document_is_known_among_what_was_typed_around_and_into_it() -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test(size=(180, 45)) as pilot:
        await pilot.press(*"sum this up:")
        await paste(pilot, DOCUMENT)
        await pilot.press(*" ok?")
        text, pasted = await send(pilot)
        assert (text, pasted) == (f"sum this up:{DOCUMENT} ok?", [DOCUMENT])
        await paste(pilot, DOCUMENT)
        prompt(app).move_cursor((2, 0))
        await pilot.press(*"no ", "end", *" aha", "delete", *" so ")
        text, pasted = await send(pilot)
        assert " ".join(pasted).split() == DOCUMENT.split()
        assert {word for word in text.split() if word not in " ".join(pasted)} == {"no", "aha", "so"}


async def test_what_was_typed_or_pasted_shortly_is_the_persons() -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test() as pilot:
        prompt(app).insert(DOCUMENT)
        await paste(pilot, " and a short paste")
        assert await send(pilot) == (f"{DOCUMENT} and a short paste", [])
        await paste(pilot, DOCUMENT)
        prompt(app).select_all()
        await pilot.press("delete")
        prompt(app).insert("what was pasted is gone")
        assert await send(pilot) == ("what was pasted is gone", [])


async def test_the_paste_key_brings_others_words_and_what_was_cut_here_ones_own() -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test() as pilot:
        prompt(app).insert(OWN)
        await pilot.press("ctrl+x")
        assert prompt(app).text == ""
        await pilot.press("ctrl+v", "ctrl+v")
        assert await send(pilot) == (OWN + OWN, [])
        app.copy_to_clipboard(DOCUMENT)  # as the key on a reply does
        await pilot.press("ctrl+v")
        assert await send(pilot) == (DOCUMENT, [DOCUMENT])


async def test_what_is_brought_back_stays_pasted() -> None:
    assistant = ScriptedAssistant()
    app = app_of(assistant)
    async with app.run_test() as pilot:
        await paste(pilot, DOCUMENT)
        await send(pilot)
        await pilot.press("ctrl+z")  # after it was sent
        assert await send(pilot) == (DOCUMENT, [DOCUMENT])
        assistant.drafts.past = [DOCUMENT]
        await pilot.press("up")
        prompt(app).move_cursor((0, 0))
        await pilot.press(*"so: ")
        assert await send(pilot) == (f"so: {DOCUMENT}", [DOCUMENT])
        await paste(pilot, DOCUMENT)
        prompt(app).select_all()
        await pilot.press("ctrl+x", *"moved: ", "ctrl+v")
        assert await send(pilot) == (f"moved: {DOCUMENT}", [DOCUMENT])


async def test_what_waits_and_what_is_taken_back_stays_pasted() -> None:
    assistant = ScriptedAssistant()
    assistant.chat.hold_at = 1
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await write(pilot, "one")
        await until(pilot, lambda: texts(app)[1:] == ["The "])
        for after in (" two", " three"):
            await paste(pilot, DOCUMENT)
            await pilot.press(*after, "enter")
        await until(pilot, lambda: prompt(app).text == "")
        await pilot.press("up")
        assert prompt(app).text == f"{DOCUMENT} three"
        assistant.chat.hold_at = None
        assistant.chat.go.set()
        await until(pilot, lambda: len(texts(app)) == 4 and complete(app)())
        assert said(app)[-1] == (f"{DOCUMENT} two", [DOCUMENT])
        assert await send(pilot) == (f"{DOCUMENT} three", [DOCUMENT])


async def test_a_message_that_is_edited_keeps_what_was_pasted_and_takes_more() -> None:
    app = app_of(ScriptedAssistant())
    async with app.run_test() as pilot:
        prompt(app).insert("look: ")
        await send(pilot)
        await pilot.press("shift+tab", "k", "e")
        await until(pilot, lambda: isinstance(app.screen, TextModal))
        await paste(pilot, DOCUMENT, app.screen.query_one(TextArea))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: said(app)[-1][1] == [DOCUMENT])


async def test_what_is_pasted_beside_the_chat_is_known_too() -> None:
    app = app_of(with_profile())
    async with app.run_test(size=(140, 45)) as pilot:
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen))
        await pilot.press(*"so: ")
        await paste(pilot, DOCUMENT)
        await pilot.press("enter")
        chat = app.assistant.chat
        await until(pilot, lambda: any(one.text == f"so: {DOCUMENT}" for one in chat._messages.values()))
        assert [one.pasted_parts for one in chat._messages.values() if one.text.startswith("so: ")] == [[DOCUMENT]]
        await until(pilot, lambda: not app.screen.running)


async def test_what_is_written_in_another_editor_is_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "editor.py"
    code = f"path.write_text(path.read_text() + {OWN!r})"
    script.write_text(f"import pathlib, sys\npath = pathlib.Path(sys.argv[1])\n{code}\n")
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")
    assistant = ScriptedAssistant()
    assistant.paths = type(assistant.paths)(tmp_path, tmp_path, tmp_path / "cache")
    app = app_of(assistant)
    monkeypatch.setattr(app, "suspend", nullcontext)
    async with app.run_test() as pilot:
        await paste(pilot, f"{DOCUMENT}\n")
        await pilot.press("ctrl+g")
        await until(pilot, lambda: prompt(app).text.endswith(OWN))
        assert await send(pilot) == (f"{DOCUMENT}\n{OWN}", [DOCUMENT])


async def test_a_draft_of_a_real_home_is_pasted_also_after_a_restart(tmp_path: Path) -> None:
    home, none = tmp_path / "home", str(tmp_path / "none.gguf")
    async with AssistantApp(Assistant.open(home, model=none)).run_test() as pilot:
        await pilot.press(*"see ")
        await paste(pilot, DOCUMENT)
    app = AssistantApp(Assistant.open(home, model=none))
    async with app.run_test() as pilot:
        await until(pilot, lambda: prompt(app).text == f"see {DOCUMENT}")
        await pilot.press(*" now go", "enter")  # no model answers it, but it is kept
        await until(pilot, lambda: bool(app.assistant.store.messages.typed()))
        ((message, _),) = app.assistant.store.messages.typed()
        assert (message.text, message.pasted_parts) == (f"see {DOCUMENT} now go", [DOCUMENT])
        await until(pilot, lambda: app.assistant.store.drafts.get(None) == "")
        assert app.assistant.store.drafts.get(message.conversation_id) == ""
        (one,) = app.assistant.preferences.items()
        assert (one.item.text, one.used) == ("see \n\n now go", True)
    app = AssistantApp(Assistant.open(home, model=none))
    async with app.run_test() as pilot:  # a program later the message is recalled
        await pilot.press("up")
        prompt(app).move_cursor(prompt(app).document.end)
        await pilot.press(*" again", "enter")
        await until(pilot, lambda: len(app.assistant.store.messages.typed()) == 2)
        assert app.assistant.store.messages.typed()[-1][0].pasted_parts == [DOCUMENT]


def pasted_item(assistant: ScriptedAssistant) -> None:
    passage = Passage(9, 99, Reason.PASTED, 62, "[b]Lorem[/b] ipsum dolor sit amet")
    item = PreferenceItem("i0", "", "sum this up, please", Source.OWN_MESSAGE, 0.0)
    assistant.preferences.learnable[0] = LearnableItem(item, False, "", (passage,))


async def test_what_was_pasted_is_claimed_and_given_back_by_one_key() -> None:
    assistant = with_profile()
    pasted_item(assistant)
    app = app_of(assistant)
    async with app.run_test(size=(140, 45), notifications=True) as pilot:
        await pilot.press("f2", "1")
        await until(pilot, lambda: bool(app.screen.query("#items")) and app.screen.query_one(DataTable).row_count > 0)

        def detail() -> str:
            return app.screen.query_one("#item-text", Static).content.plain

        app.screen.query_one(DataTable).focus()
        await until(pilot, lambda: "62 words of it are not yours (pasted)" in detail())
        assert "pasted: “[b]Lorem[/b] ipsum dolor sit amet …”" in detail()
        await pilot.press("p")
        await until(pilot, lambda: "counts as yours, as you said; p: it is not" in detail())
        assert assistant.preferences.learnable[0].claimed
        await pilot.press("p")
        await until(pilot, lambda: "p: what was pasted is yours, too" in detail())
        await pilot.press("down", "p")
        await until(pilot, lambda: any("nothing was pasted" in one.message for one in app._notifications))
