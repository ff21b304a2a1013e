"""What I think you like: on or off, how strongly, the measured gain, the description, the phrases."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Button, Static, Switch, TextArea

from assistant.app import Assistant
from assistant.profile.version import Profile
from assistant.records import Outcome
from assistant.visible import sanitise
from tui.figures import day
from tui.hints import Hint, KeyButton
from tui.telling import telling
from tui.widgets.preferences.chart import GainChart
from tui.widgets.preferences.gain import gain_text, harm_text
from tui.widgets.preferences.influence import InfluenceTable
from tui.widgets.preferences.phrases import PhraseTable
from tui.widgets.preferences.vectors import VectorsSection
from tui.widgets.slider import StrengthSlider

NOTHING = (
    "Nothing learned yet. Rate or edit replies, or add texts of your own; then press {settings.rebuild} to rebuild."
)
NONE_IN_USE = (
    "No version is in use. {settings.versions} shows those that there are; {versions.use} there puts one to use."
)


class OutcomePanel(VerticalScroll, can_focus=False):
    """The version in use, readable and correctable."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save_description", "Save description", id="outcome.save"),
        Binding("o", "toggle_steering", "On or off", id="outcome.toggle"),
    ]

    def __init__(self, assistant: Assistant) -> None:
        super().__init__()
        self._assistant = assistant
        self._shown_description = ""
        self._outcome: Outcome | None = None

    def compose(self) -> ComposeResult:
        yield Hint(id="outcome-none")
        with Vertical(id="outcome-body"):
            yield Static(id="outcome-head", classes="hint")
            with Horizontal(id="steering"):
                yield Switch(id="steering-on", animate=False)
                yield Static(id="steering-word")
                yield StrengthSlider()
            yield GainChart()
            yield Static(id="gain", classes="section")
            yield Static("How I would describe you", classes="title")
            yield TextArea(id="description", highlight_cursor_line=False, compact=True)
            with Horizontal(classes="buttons"):
                yield KeyButton("Save description [{outcome.save}]", id="save-description", compact=True)
                yield Static(id="description-state", classes="hint")
            yield Hint("Phrases that are yours · {phrase.why}: why? · {phrase.veto}: veto", classes="title")
            yield PhraseTable(self._assistant.preferences)
            yield InfluenceTable(self._assistant.preferences)
            yield Static("Side effects on other texts, each against its limit", classes="title")
            yield Static(id="harm", classes="section")
        yield VectorsSection(self._assistant.vectors)

    def on_mount(self) -> None:
        self.show_profile()

    @property
    def unsaved(self) -> bool:
        """Whether the description was changed and not saved."""
        return self.query_one("#description", TextArea).text != self._shown_description

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a version there is nothing to switch and no description."""
        return self._outcome is not None or action not in ("toggle_steering", "save_description")

    def show_profile(self) -> None:
        """Read the version in use anew; an unsaved description is left alone."""
        profile = None
        with telling(self):
            profile = self._assistant.profiles.current()
        self._outcome = profile.outcome if profile else None
        self.refresh_bindings()
        self.query_one("#outcome-none").display = profile is None
        self.query_one("#outcome-body").display = profile is not None
        if profile is None:
            with telling(self):
                self.query_one("#outcome-none", Hint).say(NONE_IN_USE if self._assistant.profiles.known else NOTHING)
        else:
            self._show(profile)

    def _show(self, profile: Profile) -> None:
        outcome = profile.outcome
        stale = " · stale: a text it learned from is gone; rebuild" if profile.stale else ""
        made = f"Version {profile.version} of {day(profile.created_at)}"
        head = f"{made} · {sanitise(outcome.method)} · {outcome.form}{stale}"
        self.query_one("#outcome-head", Static).update(Content(head))
        self._show_steering(outcome)
        self.query_one(StrengthSlider).disabled = outcome.form == "none"
        self.query_one("#gain", Static).update(gain_text(outcome))
        self.query_one("#harm", Static).update(harm_text(outcome.harm))
        self._show_description(profile)
        self.query_one(PhraseTable).show(outcome.phrases)
        self.query_one(InfluenceTable).show(outcome)

    def _show_steering(self, outcome: Outcome) -> None:
        state = self._assistant.profiles.state()
        switch = self.query_one("#steering-on", Switch)
        with self.prevent(Switch.Changed):
            switch.value = state.enabled
        word = Content.styled("on ", "bold $text-success") if state.enabled else Content.styled("off", "bold dim")
        self.query_one("#steering-word", Static).update(word)
        self.query_one(StrengthSlider).show(state.strength, outcome.safe_strength)
        self.query_one(GainChart).show(outcome, state.strength)

    def _show_description(self, profile: Profile) -> None:
        area = self.query_one("#description", TextArea)
        if area.text == self._shown_description:
            area.load_text(sanitise(profile.description))
            self._shown_description = area.text
        words = "✎ in your words" if profile.description_edited else "drawn from your texts; change it as you like"
        self.query_one("#description-state", Static).update(Content(words))

    def on_switch_changed(self, event: Switch.Changed) -> None:
        event.stop()
        with telling(self):
            self._assistant.profiles.set_enabled(event.value)
        self.show_profile()

    def action_toggle_steering(self) -> None:
        """Switch steering on or off."""
        self.query_one("#steering-on", Switch).toggle()

    def on_strength_slider_changed(self, event: StrengthSlider.Changed) -> None:
        event.stop()
        if self._outcome is not None:
            self.query_one(GainChart).show(self._outcome, event.strength)
        with telling(self):
            self._assistant.profiles.set_strength(event.strength)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        if event.text_area.text != self._shown_description:
            self.query_one("#description-state", Static).update(Content("● not saved yet"))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        self.action_save_description()

    def action_save_description(self) -> None:
        """Keep the description in the person's words."""
        text = self.query_one("#description", TextArea).text
        if text == self._shown_description:
            return
        with telling(self):
            profile = self._assistant.profiles.set_description(text)
            self._shown_description = text
            self._show(profile)
            self.notify("Description saved; it holds from the next message on.", timeout=3)
