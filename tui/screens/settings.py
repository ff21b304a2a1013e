"""Settings: the preferences workbench first, then everything in the settings schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.signal import Signal
from textual.widget import Widget
from textual.widgets import Input, TabbedContent, TabPane, Tabs, TextArea

from assistant.app import Assistant
from tui.hints import with_keys
from tui.keymap import Section
from tui.rebuild_job import RebuildJob
from tui.widgets.confirm import ConfirmModal
from tui.widgets.general_panel import GeneralPanel
from tui.widgets.key_line import KeyLine
from tui.widgets.keys_panel import KeysPanel
from tui.widgets.page import Page
from tui.widgets.preferences.influence import InfluenceTable
from tui.widgets.preferences.learned import LearnedPanel
from tui.widgets.preferences.outcome import OutcomePanel
from tui.widgets.preferences.phrases import PhraseTable
from tui.widgets.preferences.rebuild import RebuildPanel
from tui.widgets.preferences.versions import VersionsPanel
from tui.widgets.privacy_panel import PrivacyPanel

TITLES = {
    "learned": "{settings.learned} Learned from",
    "rebuild": "{settings.rebuild_page} Rebuild",
    "outcome": "{settings.outcome} What I think you like",
    "versions": "{settings.versions} Versions",
    "general": "{settings.general} General",
    "keys-page": "{settings.keys} Keys",
    "privacy": "{settings.privacy} Privacy",
}
"""Of the pages, each with the key that leads there."""
ALONE = ("general", "keys-page", "privacy")
"""Pages that are not part of the workbench."""


class SettingsScreen(Screen[None]):
    """Opened with f2; esc leads back to the chat."""

    AUTO_FOCUS = "#items"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f2,ctrl+comma", "close", "Back", id="settings.close"),
        Binding("b", "rebuild", "Rebuild", id="settings.rebuild"),
        Binding("ctrl+f", "find", "Find a setting", show=False, priority=True, id="settings.find"),
        Binding("1", "go('learned')", "Learned from", show=False, id="settings.learned"),
        Binding("2", "go('rebuild')", "Rebuild page", show=False, id="settings.rebuild_page"),
        Binding("3", "go('outcome')", "What I think you like", show=False, id="settings.outcome"),
        Binding("4", "go('versions')", "Versions", show=False, id="settings.versions"),
        Binding("5", "go('general')", "General settings", show=False, id="settings.general"),
        Binding("6", "go('keys-page')", "Keys", show=False, id="settings.keys"),
        Binding("7", "go('privacy')", "Privacy", show=False, id="settings.privacy"),
    ]

    def __init__(
        self,
        assistant: Assistant,
        job: RebuildJob,
        changed: Signal[RebuildJob],
        sections: Callable[[], Sequence[Section]],
    ) -> None:
        super().__init__()
        self._sections = sections
        self._assistant = assistant
        self._job = job
        self._changed = changed

    def compose(self) -> ComposeResult:
        assistant = self._assistant
        panels: dict[str, Callable[[], Widget]] = {
            "rebuild": lambda: RebuildPanel(assistant, self._job, self._changed),
            "outcome": lambda: OutcomePanel(assistant),
            "versions": lambda: VersionsPanel(assistant.profiles),
            "general": lambda: GeneralPanel(assistant),
            "keys-page": lambda: KeysPanel(assistant, self._sections),
            "privacy": lambda: PrivacyPanel(assistant),
        }
        with TabbedContent(id="areas"):
            with TabPane("Preferences", id="preferences"), TabbedContent(id="workbench"):
                with TabPane(self._title("learned"), id="learned"):
                    yield LearnedPanel(assistant)
                yield from (Page(self._title(name), panels[name], name) for name in panels if name not in ALONE)
            yield from (Page(self._title(name), panels[name], name) for name in ALONE)
        yield KeyLine()

    def on_mount(self) -> None:
        self._changed.subscribe(self, self._rebuild_changed)

    def _title(self, page: str) -> str:
        return with_keys(self, TITLES[page])

    def _tabs_of(self, page: str) -> TabbedContent:
        return self.query_one("#areas" if page in ALONE else "#workbench", TabbedContent)

    def name_keys(self) -> None:
        """Draw the titles anew, after keys have changed."""
        for page in TITLES:
            self._tabs_of(page).get_tab(page).label = Content(self._title(page))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a rebuild runs no other begins."""
        return not self._job.running if action == "rebuild" else True

    def _rebuild_changed(self, job: RebuildJob) -> None:
        self.refresh_bindings()
        if not job.running and job.result is not None:
            self.query_one(LearnedPanel).show_items()
            self._show_version()

    def _show_version(self) -> None:
        for outcome in self.query(OutcomePanel):
            outcome.show_profile()
        for versions in self.query(VersionsPanel):
            versions.show_versions()

    async def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        if isinstance(event.pane, Page):
            await event.pane.fill()
        if event.pane.id == "rebuild":
            self.query_one(RebuildPanel).show_count()
        if event.pane.id == "privacy":
            self.query_one(PrivacyPanel).look()

    def on_versions_panel_switched(self) -> None:
        self._show_version()

    async def on_phrase_table_why(self, event: PhraseTable.Why) -> None:
        await self._open_item(event.item_id)

    async def on_influence_table_opened(self, event: InfluenceTable.Opened) -> None:
        await self._open_item(event.item_id)

    def on_influence_table_changed(self) -> None:
        self.query_one(LearnedPanel).show_items()

    async def _open_item(self, item_id: str) -> None:
        await self.action_go("learned")
        panel = self.query_one(LearnedPanel)
        self.call_after_refresh(panel.show_item, item_id)

    async def action_go(self, page: str) -> None:
        """Turn to a page and into it."""
        if isinstance(pane := self.query_one(f"#{page}"), Page):
            await pane.fill()
        # A focused widget in the page that is left would call that page back.
        self.set_focus(None)
        if page not in ALONE:
            self.query_one("#areas", TabbedContent).active = "preferences"
        self._tabs_of(page).active = page
        self.call_after_refresh(self._enter, page)

    def _enter(self, page: str) -> None:
        # The chain leaves out what is not displayed, but knows no order in a page that has not been laid out yet.
        reachable = set(self.focus_chain)
        first = next((widget for widget in self.query_one(f"#{page}").query("*") if widget in reachable), None)
        if first is None or isinstance(first, Input | TextArea):
            # A number that is to turn the page would be written into it; tab leads there.
            first = self._tabs_of(page).query_one(Tabs)
        first.focus()

    async def action_find(self) -> None:
        """Go to the line that searches all settings."""
        await self.action_go("general")
        self.call_after_refresh(self.query_one(GeneralPanel).find)

    async def action_rebuild(self) -> None:
        """Go to the rebuild and start it."""
        await self.action_go("rebuild")
        self.post_message(RebuildPanel.Wanted())

    @work
    async def action_close(self) -> None:
        """Back to the chat, after a question where a description would be lost."""
        if any(panel.unsaved for panel in self.query(OutcomePanel)):
            question = "Your description is not saved."
            if not await self.app.push_screen_wait(ConfirmModal(question, "Discard", "Go on editing")):
                return
        self.dismiss()
