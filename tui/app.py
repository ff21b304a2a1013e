"""The terminal program: opens the chat, holds the rebuild, obeys the keys that work everywhere."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.signal import Signal
from textual.theme import Theme
from textual.widget import AwaitMount

from assistant.errors import AssistantError
from assistant.visible import sanitise
from tui.attention import LONG_SECONDS
from tui.commands import BindingCommands
from tui.endings import Ending, download_ending, rebuild_ending
from tui.hints import name_keys_anew, with_keys
from tui.keymap import Section, key_names, keymap_of
from tui.opening import FirstLook, OpeningScreen, TypedAhead, first_look
from tui.prompting.slash import COMMANDS, Ordered, SlashCommand
from tui.telling import telling
from tui.terminal_app import TerminalApp
from tui.themes import THEMES
from tui.widgets.confirm import ConfirmModal
from tui.widgets.prompt import Prompt

# What takes long to import is imported after the first frame.
if TYPE_CHECKING:
    from assistant.app import Assistant
    from assistant.profile.news import News
    from tui.download_job import DownloadJob
    from tui.offering import Offering
    from tui.rebuild_job import RebuildJob
    from tui.screens.chat import ChatScreen
    from tui.screens.models import ModelsScreen

FAILED = 1
CHAT, OTHERS = ("assistant.app", "tui.screens.chat"), ("tui.key_sections",)
"""Modules of the chat and of all other screens."""


def toss() -> bool:
    """True as often as False."""
    return random.random() < 0.5


class AssistantApp(TerminalApp):
    """A private assistant in the terminal."""

    TITLE = "Assistant"
    CSS_PATH = "app.tcss"
    COMMANDS = App.COMMANDS | {BindingCommands}
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012  # so declared by Textual
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f1", "help", "Help", id="app.help"),
        Binding("f2,ctrl+comma", "settings", "Settings", key_display="f2", id="app.settings"),
        Binding("f4", "models", "Models", show=False, tooltip="What answers; get and change models", id="app.models"),
        Binding("ctrl+p", "command_palette", "Commands", id="app.commands", priority=True),
        Binding(
            "ctrl+c",
            "interrupt",
            "Interrupt",
            id="app.interrupt",
            show=False,
            priority=True,
            tooltip="Stop a reply; quit when idle",
        ),
        Binding("ctrl+q", "quit", "Quit", id="app.quit", priority=True),
    ]

    assistant: Assistant
    rebuild_job: RebuildJob
    download_job: DownloadJob
    _offering: Offering
    _chat_screen: ChatScreen

    def __init__(
        self,
        home: Assistant | Callable[[], Assistant],
        clock: Callable[[], float] = time.monotonic,
        coin: Callable[[], bool] = toss,
        look: FirstLook | None = None,
    ) -> None:
        """`home` is open, or is opened after the first frame, which has this `look`."""
        super().__init__()
        self.failure: AssistantError | None = None
        """Why the home could not be opened."""
        self._clock, self._coin, self._look = clock, coin, look or FirstLook()
        self.rebuild_changed: Signal[RebuildJob] = Signal(self, "rebuild")
        self.download_changed: Signal[DownloadJob] = Signal(self, "download")
        self._typed_ahead: TypedAhead | None = None
        self._compare_draft = ""
        self._open_home: Callable[[], Assistant] | None = None
        if callable(home):
            self._open_home, self._typed_ahead = home, TypedAhead()
        else:
            self._furnish(home)

    def _furnish(self, assistant: Assistant) -> None:
        from tui.download_job import DownloadJob
        from tui.offering import Offering
        from tui.rebuild_job import RebuildJob
        from tui.screens.chat import ChatScreen

        self.assistant = assistant
        self.rebuild_job = RebuildJob(assistant.rebuild, self._clock, self._publish_rebuild)
        self.download_job = DownloadJob(assistant.models, self._publish_download)
        self._chat_screen = ChatScreen(assistant)
        self._offering = Offering(assistant, self.rebuild_job, self._chat_screen, self._rebuild_by_itself)

    @property
    def _furnished(self) -> bool:
        return hasattr(self, "assistant")

    def get_default_screen(self) -> Screen[None]:
        """The first frame, where the home is not open yet."""
        if self._open_home is None:
            return super().get_default_screen()
        return OpeningScreen(self._look.sidebar, partial(self._open, self._open_home))

    async def on_mount(self) -> None:
        for own in THEMES:
            self.register_theme(own)
        if self._furnished:
            self._begin()
        elif self._look.theme in self.available_themes:
            self.theme = self._look.theme

    @work
    async def _open(self, open_home: Callable[[], Assistant]) -> None:
        """Read the rest of the program beside the first frame, then open the home and go to the chat."""
        await asyncio.to_thread(_import, CHAT)
        try:
            self._furnish(open_home())
        except AssistantError as error:
            self.failure = error
            self.exit(FAILED)
            return
        await self._begin()
        self.call_later(self._type_again)
        await asyncio.to_thread(_import, OTHERS)  # or the first f2 would have to wait for it

    def _begin(self) -> AwaitMount:
        self._obey_keys()
        theme = self.assistant.settings.appearance.theme
        if theme in self.available_themes:
            self.theme = theme
        else:
            where = with_keys(self, "see {app.commands}, Theme")
            self.notify(f"There is no theme “{sanitise(theme)}”; {where}.", severity="warning", markup=False)
        self.theme_changed_signal.subscribe(self, self._save_theme)
        mounted = self.push_screen(self._chat_screen)
        self._look_after_history()
        return mounted

    async def on_event(self, event: events.Event) -> None:
        """What is typed before the chat is there is typed again when it is, in its order."""
        if self._typed_ahead is not None and not event.is_forwarded:
            self._typed_ahead.hold(event)
            if self._furnished and isinstance(event, events.Key | events.Paste):
                return
        await super().on_event(event)

    async def _type_again(self) -> None:
        typed, self._typed_ahead = self._typed_ahead, None
        while typed is not None and (event := typed.take()) is not None:
            await super().on_event(event)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Before the chat is there one can only leave."""
        return self._furnished or action in ("quit", "interrupt")

    @work
    async def _look_after_history(self) -> None:
        """Say where it can only be read; else copy it once a day, beside what else is going on."""
        if self.assistant.only_reading:
            words = sanitise(self.assistant.only_reading)
            self.notify(words, title="Nothing can be stored", severity="error", timeout=60, markup=False)
            return
        with telling(self.screen):
            await self.assistant.back_up_daily()

    def _save_theme(self, theme: Theme) -> None:
        if theme.name != self.assistant.settings.appearance.theme:
            with telling(self.screen):
                self.assistant.change_setting("appearance", "theme", theme.name)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Of Textual's own commands those that are of use here."""
        yield SystemCommand("Theme", "Change the colours", self.action_change_theme)
        if screen is self._chat_screen:
            for command in COMMANDS:
                if not command.keyed and (self._chat_screen.shown is not None or not command.chat):
                    obey = partial(self._chat_screen.obey, Ordered(command, ""))
                    yield SystemCommand(command.name.capitalize(), f"{command.help} · /{command.name}", obey)

    def action_settings(self) -> None:
        """Open the settings; they lead back to the prompt, or the next words would be keys of some message."""
        from tui.screens.settings import SettingsScreen

        if not isinstance(self.screen, SettingsScreen):
            screen = SettingsScreen(self.assistant, self.rebuild_job, self.rebuild_changed, self._key_sections)
            self.push_screen(screen, lambda _: self._chat_screen.action_to_prompt())

    def action_models(self) -> None:
        """Show the models."""
        from tui.screens.models import ModelsScreen

        if not isinstance(self.screen, ModelsScreen):
            chat = self._chat_screen
            self.push_screen(
                ModelsScreen(self.assistant, self.download_job, self.download_changed, lambda: chat.live.running)
            )

    def on_models_screen_used(self) -> None:
        self._chat_screen.load_model()

    def on_models_screen_download_asked(self, event: ModelsScreen.DownloadAsked) -> None:
        if not self.download_job.running:
            self.run_worker(self._download(event.wanted), group="download")

    async def _download(self, wanted: str) -> None:
        job = self.download_job
        await job.run(wanted)
        if job.path is not None:
            self.call_back("the model is downloaded")
        from tui.screens.models import ModelsScreen

        if not isinstance(self.screen, ModelsScreen):  # which says so itself
            self._tell(download_ending(job, self.key_names["app.models"]))

    def _publish_download(self) -> None:
        self.download_changed.publish(self.download_job)
        self._chat_screen.show_download(self.download_job.status)

    def on_models_screen_rebuild_asked(self) -> None:
        """Go to the rebuild, and start it."""
        from tui.screens.settings import SettingsScreen

        self.pop_screen()
        self.action_settings()
        if isinstance(settings := self.screen, SettingsScreen):
            self.call_after_refresh(settings.action_rebuild)

    def on_chat_screen_compare_asked(self, event: ChatScreen.CompareAsked) -> None:
        from tui.screens.compare import CompareScreen

        chat = self._chat_screen
        screen = CompareScreen(
            self.assistant.chat, lambda: chat.live.running, self._coin, event.text, self._compare_draft
        )
        self.push_screen(screen, self._keep_compare_draft)

    def _keep_compare_draft(self, text: str | None) -> None:
        self._compare_draft = text or ""

    def action_help(self) -> None:
        """Show all keys."""
        from tui.screens.help import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            commands = ("Commands, written in the prompt", [_as_binding(command) for command in COMMANDS])
            sections = self._key_sections()
            self.push_screen(HelpScreen([*sections[:3], commands, *sections[3:]], self._keymap))

    def _key_sections(self) -> list[Section]:
        from tui.key_sections import key_sections

        return key_sections(self.BINDINGS)

    def on_keys_panel_changed(self) -> None:
        self._obey_keys()

    def _obey_keys(self) -> None:
        sections = self._key_sections()
        keymap = keymap_of(self.assistant.settings.keys, sections)
        self.set_keymap(dict(keymap.keys))
        self.key_names = key_names(sections, keymap.keys)
        name_keys_anew(self.screen_stack)
        for problem in keymap.problems:
            self.notify(sanitise(problem), title="A key is not obeyed", severity="warning", markup=False)

    async def action_interrupt(self) -> None:
        """Stop a reply, copy what is selected, drop what is written; quit when there is nothing of these."""
        from tui.screens.compare import CompareScreen

        if not self._furnished:
            self.exit(0)
        elif self._chat_screen.live.running:
            await self._chat_screen.action_stop_reply()
        elif isinstance(self.screen, CompareScreen) and self.screen.running:
            await self.screen.action_stop()
        elif selected := self.selected_text:
            self.copy_to_clipboard(selected)
            self.notify("Copied.", timeout=2)
        elif isinstance(self.focused, Prompt) and self.focused.text:
            self.focused.clear()
            self.notify(with_keys(self, "ctrl+z brings the text back; {app.interrupt} again quits."), timeout=4)
        elif self.rebuild_job.running:
            text = with_keys(self, "A rebuild is running; {app.quit} cancels it and quits.")
            self.notify(text, severity="warning")
        elif len(self.screen_stack) <= 2:
            self.exit(0)

    def call_back(self, text: str) -> None:
        """Tell a person who looks elsewhere that something is done, if they want to be told."""
        if self.assistant.settings.appearance.notify:
            self.call_person(text)

    def on_chat_screen_reply_ended(self, event: ChatScreen.ReplyEnded) -> None:
        self._offering.look_soon()
        if event.seconds >= LONG_SECONDS:
            self.call_back("the reply is written")

    def on_chat_screen_stirred(self) -> None:
        self._offering.look_soon()

    def on_chat_screen_later(self) -> None:
        self._offering.put_off()

    @work
    async def action_quit(self) -> None:  # type: ignore[override]  # a worker, since it may have to ask
        """Quit, after a question where a rebuild would be lost."""
        if self._furnished and self.rebuild_job.running:
            question = "A rebuild is running. What it has scored so far is kept."
            if not await self.push_screen_wait(ConfirmModal(question, "Cancel it and quit", "Stay")):
                return
            self.rebuild_job.cancel()
        self.exit(0)

    def on_rebuild_panel_wanted(self) -> None:
        if not self.rebuild_job.running:
            self.run_worker(self._rebuild(), group="rebuild")

    def _rebuild_by_itself(self, news: News) -> None:
        keys = "{app.settings} {settings.rebuild_page} {rebuild.cancel} cancels it"
        self.notify(with_keys(self, f"{news.words}: rebuilding by itself; {keys}."), timeout=8)
        self.on_rebuild_panel_wanted()

    async def _rebuild(self) -> None:
        self._offering.take_back()
        await self.rebuild_job.run()
        self._offering.look_soon()
        self.call_back("the rebuild has ended")
        self._tell(rebuild_ending(self.rebuild_job))

    def _tell(self, ending: Ending | None) -> None:
        if ending is not None:
            self.notify(ending.text, title=ending.title, severity=ending.severity, markup=False)

    def _publish_rebuild(self) -> None:
        self.rebuild_changed.publish(self.rebuild_job)
        self._chat_screen.show_rebuild(self.rebuild_job)

    async def on_unmount(self) -> None:
        if self._furnished:
            self._chat_screen.store_drafts()
            await self.assistant.close()


def _import(names: Iterable[str]) -> None:
    for name in names:
        import_module(name)


def _as_binding(command: SlashCommand) -> Binding:
    """A command as a line of the help."""
    return Binding("slash", "", command.help, key_display=command.usage)


def run(open_home: Callable[[], Assistant], settings: Path) -> int:
    """Open the screens until the person quits; returns the exit code.

    Args:
        open_home: Opens the home, after the first frame.
        settings: The settings file, for the look of that frame.

    Raises: AssistantError: the home could not be opened.
    """
    app = AssistantApp(open_home, look=first_look(settings))
    app.run()
    if app.failure is not None:
        raise app.failure
    return app.return_code or 0
