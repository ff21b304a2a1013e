"""How dialogs look, and a chat of wide characters and emoji, at the smallest and at a generous size."""

from __future__ import annotations

import pytest

from tests.tui import samples
from tests.tui.doubles import ScriptedAssistant
from tests.tui.reading import until
from tests.tui.test_snapshots import quiet, sizes
from tui.widgets.confirm import ConfirmModal
from tui.widgets.export_modal import ExportModal
from tui.widgets.path_modal import PathModal
from tui.widgets.preferences.comparison import ComparisonModal
from tui.widgets.text_modal import LineModal, TextModal

WIDE = (
    "日本語の長い段落です。" * 12
    + "\n\n"
    + "🎉👩‍👩‍👧🇯🇵 絵文字と한국어 문장이 섞여 있습니다. " * 6
    + "\n\n```python\nprint('コーヒー', '☕️')\n```\n\n"
    + "| 時間 | 味 |\n|---|---|\n| 八時間 | あっさり ☕ |\n| 十六時間 | 濃い |\n"
)
ERASE = (
    "Erase version 3 with its vector, phrases, description and figures? Your texts stay. "
    "Automatic backups go too, as they hold it. This cannot be undone."
)
COMPARED = [
    "Version 2 → version 3",
    "",
    "  texts                         24  →  24",
    "≠ dose                        0.12  →  0.25",
    "≠ gain                      +0.080  →  +0.115",
    "",
    "+ texts: none",
    "- texts (1): i4",
    "+ phrases (2): no fuss, 乾杯 🎉",
    "",
    "Description:",
    "- Writes in lower case.",
    "+ Writes in lower case, short sentences, dry humour. Ends with “cheers”. Skips greetings.",
]
DIALOGS = {
    "confirm": lambda: ConfirmModal(ERASE, "Erase"),
    "path": lambda: PathModal("Import a version", "A file that this program exported (.zip).", "~/version-3.zip"),
    "line": lambda: LineModal("Title of the conversation", "珈琲の話 ☕ " * 6),
    "text": lambda: TextModal("The reply as you would have liked it", WIDE),
    "export": lambda: ExportModal(None, 3),
    "comparison": lambda: ComparisonModal(COMPARED),
}


@sizes
@pytest.mark.parametrize("name", DIALOGS)
def test_dialog(snap_compare, size, name) -> None:
    async def open_it(pilot) -> None:
        await quiet(pilot)
        await pilot.app.push_screen(DIALOGS[name]())
        await quiet(pilot)

    assert snap_compare(samples.app_of(samples.with_conversations()), terminal_size=size, run_before=open_it)


@sizes
def test_wide_characters(snap_compare, size) -> None:
    assistant = ScriptedAssistant()
    conversation = assistant.chat.new_conversation()
    assistant.chat.rename(conversation.id, "家で珈琲を淹れる ☕ 長い題名の会話")
    assistant.chat.say(conversation.id, "家でアイスコーヒーを作るには？ 🧊", WIDE)

    async def show(pilot) -> None:
        await until(pilot, lambda: len(pilot.app.screen.query("MessageView")) == 2)
        await quiet(pilot)

    assert snap_compare(samples.app_of(assistant), terminal_size=size, run_before=show)
