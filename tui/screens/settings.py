"""Settings: the preferences workbench first, then everything in the settings schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.signal import Signal
from textual.widgets import Input, TabbedContent, TabPane, Tabs, TextArea

from assistant.app import Assistant
from tui.keymap import Section
from tui.rebuild_job import RebuildJob
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

ALONE = ("general", "keys-page")
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
        with TabbedContent(id="areas"):
            with TabPane("Preferences", id="preferences"), TabbedContent(id="workbench"):
                with TabPane("1 Learned from", id="learned"):
                    yield LearnedPanel(assistant)
                yield Page("2 Rebuild", lambda: RebuildPanel(assistant, self._job, self._changed), "rebuild")
                yield Page("3 What I think you like", lambda: OutcomePanel(assistant), "outcome")
                yield Page("4 Versions", lambda: VersionsPanel(assistant.profiles), "versions")
            yield Page("5 General", lambda: GeneralPanel(assistant), "general")
            yield Page("6 Keys", lambda: KeysPanel(assistant, self._sections), "keys-page")
        yield KeyLine()

    def on_mount(self) -> None:
        self._changed.subscribe(self, self._rebuild_changed)

    def _rebuild_changed(self, job: RebuildJob) -> None:
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
        alone = page in ALONE
        self.query_one("#areas", TabbedContent).active = page if alone else "preferences"
        if not alone:
            self.query_one("#workbench", TabbedContent).active = page
        self.call_after_refresh(self._enter, page)

    def _enter(self, page: str) -> None:
        # The chain leaves out what is not displayed, but knows no order in a page that has not been laid out yet.
        reachable = set(self.focus_chain)
        first = next((widget for widget in self.query_one(f"#{page}").query("*") if widget in reachable), None)
        if first is None or isinstance(first, Input | TextArea):
            # A number that is to turn the page would be written into it; tab leads there.
            first = self.query_one("#areas" if page in ALONE else "#workbench", TabbedContent).query_one(Tabs)
        first.focus()

    async def action_find(self) -> None:
        """Go to the line that searches all settings."""
        await self.action_go("general")
        self.call_after_refresh(self.query_one(GeneralPanel).find)

    async def action_rebuild(self) -> None:
        """Go to the rebuild and start it."""
        await self.action_go("rebuild")
        self.post_message(RebuildPanel.Wanted())

    def action_close(self) -> None:
        """Back to the chat."""
        self.dismiss()
