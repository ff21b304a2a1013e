"""All keys by the place where they are obeyed."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import BindingType

from tui.keymap import EVERYWHERE, WITHIN, Section
from tui.screens.chat import ChatScreen
from tui.screens.compare import CompareScreen
from tui.screens.help import HelpScreen
from tui.screens.models import ModelsScreen
from tui.screens.settings import SettingsScreen
from tui.widgets.chat_prompt import ChatPrompt
from tui.widgets.choice import ChoiceModal
from tui.widgets.confirm import ConfirmModal
from tui.widgets.conversations import ConversationList
from tui.widgets.export_modal import ExportModal
from tui.widgets.forget_modal import ForgetModal
from tui.widgets.general_panel import GeneralPanel
from tui.widgets.import_modal import ImportModal
from tui.widgets.keys_panel import KeysPanel
from tui.widgets.message import MessageView
from tui.widgets.path_modal import PathModal
from tui.widgets.preferences.comparison import ComparisonModal
from tui.widgets.preferences.influence import InfluenceTable
from tui.widgets.preferences.learned import LearnedPanel
from tui.widgets.preferences.outcome import OutcomePanel
from tui.widgets.preferences.phrases import PhraseTable
from tui.widgets.preferences.rebuild import RebuildPanel
from tui.widgets.preferences.vectors import VectorsSection
from tui.widgets.preferences.versions import VersionsPanel
from tui.widgets.privacy_panel import PrivacyPanel
from tui.widgets.prompt import Prompt
from tui.widgets.search_line import SearchLine
from tui.widgets.slider import StrengthSlider
from tui.widgets.text_modal import LineModal, TextModal

PAGES: tuple[Section, ...] = (
    ("Learned from", LearnedPanel.BINDINGS),
    ("Rebuild", RebuildPanel.BINDINGS),
    ("What moved the vector", InfluenceTable.BINDINGS),
    ("What I think you like", OutcomePanel.BINDINGS),
    ("Strength", StrengthSlider.BINDINGS),
    ("Phrases", PhraseTable.BINDINGS),
    ("Vectors", VectorsSection.BINDINGS),
    ("Versions", VersionsPanel.BINDINGS),
    ("General", GeneralPanel.BINDINGS),
    ("Keys", KeysPanel.BINDINGS),
    ("Privacy", PrivacyPanel.BINDINGS),
)
"""Of the settings: each is obeyed beside the settings' own keys."""
DIALOGS: tuple[Section, ...] = (
    ("Help", HelpScreen.BINDINGS),
    ("A question", ConfirmModal.BINDINGS),
    ("A choice", ChoiceModal.BINDINGS),
    ("Forgetting", ForgetModal.BINDINGS),
    ("Importing", ImportModal.BINDINGS),
    ("Exporting", ExportModal.BINDINGS),
    ("Editing a text", TextModal.BINDINGS),
    ("Editing a line", LineModal.BINDINGS),
    ("A path", PathModal.BINDINGS),
    ("Versions compared", ComparisonModal.BINDINGS),
)


def key_sections(everywhere: Sequence[BindingType]) -> list[Section]:
    """Every place under its name; `everywhere` are the keys of the program itself."""
    return [
        (EVERYWHERE, everywhere),
        ("Chat", ChatScreen.BINDINGS),
        ("Writing", [*Prompt.BINDINGS, *ChatPrompt.BINDINGS]),
        ("On a message ({prompt.messages} from the prompt)", MessageView.BINDINGS),
        ("Conversations", ConversationList.BINDINGS),
        ("Searching", SearchLine.BINDINGS),
        ("Side by side", CompareScreen.BINDINGS),
        ("Models", ModelsScreen.BINDINGS),
        ("Settings", SettingsScreen.BINDINGS),
        *((f"Settings{WITHIN}{title}", bindings) for title, bindings in PAGES),
        *DIALOGS,
    ]
