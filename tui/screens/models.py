"""Models: what answers, what is here, what could be downloaded; everything that can be done with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.signal import Signal
from textual.widgets import DataTable, Input, Static

from assistant.app import Assistant
from assistant.errors import AssistantError
from assistant.figures import count
from assistant.models.examine import Finding
from assistant.models.local import OURS, ModelInfo
from assistant.profile.counted import texts_to_learn_from
from assistant.trial import examine_and_try
from assistant.visible import one_line, sanitise
from tui.download_job import DownloadJob
from tui.figures import size
from tui.hints import keys_of, with_keys
from tui.text import literal
from tui.widgets.confirm import ConfirmModal
from tui.widgets.key_line import KeyLine
from tui.widgets.models.download_line import DownloadLine
from tui.widgets.models.offer import Offer, offer_for, offer_words
from tui.widgets.models.rows import Coming, Here, Offered, details, rows_of
from tui.widgets.models.table import ModelTable

PLACEHOLDER = "any other: OWNER/REPOSITORY[:FILE.gguf] of Hugging Face, or the path of a GGUF file"
NAME_WIDTH = 60


class ModelsScreen(Screen[None]):
    """Opened with f4; esc leads back to the chat, a download goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f4", "close", "Back", key_display="esc", id="models.close"),
        Binding("u", "use_downloaded", "Use", tooltip="Let what was downloaded answer", id="models.use_downloaded"),
        Binding("v", "use_version", "Use version", tooltip="What was learned for this model", id="models.version"),
        Binding("b", "rebuild", "Rebuild", tooltip="Learn for this model from the same history", id="models.rebuild"),
        Binding("p", "pause", "Pause", tooltip="Pause the download, or go on with it", id="models.pause"),
        Binding("x", "cancel", "Cancel", tooltip="Cancel the download, delete what came", id="models.cancel"),
        Binding("c", "check", "Check", tooltip="Check a model: whole, loads, can be steered", id="models.check"),
        Binding("d,delete", "remove", "Remove", key_display="d", tooltip="Delete a model", id="models.remove"),
        Binding("a", "name", "Other", tooltip="Name any other model", id="models.name"),
        Binding("k", "clear_cache", "Clear cache", tooltip="Delete what is kept to be quicker", id="models.cache"),
    ]

    class Used(Message):
        """Another model is to answer."""

    class DownloadAsked(Message):
        """The person asks for a model of the hub."""

        def __init__(self, wanted: str) -> None:
            super().__init__()
            self.wanted = wanted

    class RebuildAsked(Message):
        """The person asks for a rebuild with the model in use."""

    def __init__(
        self, assistant: Assistant, job: DownloadJob, changed: Signal[DownloadJob], busy: Callable[[], bool]
    ) -> None:
        """`busy`: a reply streams."""
        super().__init__()
        self._assistant, self._job, self._changed, self._busy = assistant, job, changed, busy
        self._models = assistant.models
        self._offer: Offer | None = None
        self._was_running = job.running

    def compose(self) -> ComposeResult:
        yield Static(id="models-head")
        yield ModelTable()
        yield Static(id="models-details")
        yield Static(id="models-said")
        yield DownloadLine(id="models-download")
        yield Input(placeholder=PLACEHOLDER, compact=True, id="models-name")
        yield KeyLine()

    def on_mount(self) -> None:
        self._changed.subscribe(self, self._download_changed)
        self._say("")
        self.query_one(DownloadLine).show_job(self._job)
        self.query_one(ModelTable).focus()
        self.show_models()

    @work(exclusive=True, group="models")
    async def show_models(self) -> None:
        """Look at the disk anew."""
        models = self._models
        try:
            here, in_use, left, advice, cached = await asyncio.to_thread(
                lambda: (models.list(), models.in_use(), models.unfinished(), models.advice(), models.cached())
            )
        except (AssistantError, OSError) as error:
            self._say_error(error)
            return
        if not self._still_shown:
            return
        machine = models.machine()
        ours = sum(model.size for model in here if model.source == OURS)
        words = (
            f"This machine: {size(machine.memory)} memory, {count(machine.cores, 'core')}. On the disk: "
            f"models {size(ours)}, cache {size(sum(kind.size for kind in cached))}."
        )
        self.query_one("#models-head", Static).update(Content.assemble(("Models", "bold $text-accent"), f"  {words}"))
        self.query_one(ModelTable).show_rows(rows_of(here, in_use, left, advice))
        self._show_details()

    def _show_details(self) -> None:
        if not self.query("#models-details"):
            return
        row = self.query_one(ModelTable).current
        self.query_one("#models-details", Static).update(literal(details(row, keys_of(self))) if row else "")
        self.refresh_bindings()

    def name_keys(self) -> None:
        self._show_details()
        self.query_one(DownloadLine).show_job(self._job)

    def _say(self, text: str, style: str = "") -> None:
        if not self._still_shown:
            return
        said = self.query_one("#models-said", Static)
        said.update(literal(text, style))
        said.display = bool(text)

    @property
    def _still_shown(self) -> bool:
        """Whether the person has not left meanwhile; what was waited for then finds no widgets any more."""
        return bool(self.query("#models-head") and self.query("#models-said") and self.query(ModelTable))

    def _say_error(self, error: Exception) -> None:
        self._say(f"✗ {error}", "$text-error")

    def _download_changed(self, job: DownloadJob) -> None:
        if not self._still_shown or not self.query(DownloadLine):
            return
        self.query_one(DownloadLine).show_job(job)
        self.refresh_bindings()
        if job.running != self._was_running:
            self._was_running = job.running
            self.show_models()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._show_details()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        match self.query_one(ModelTable).current:
            case Here(model=model):
                self.use(str(model.path))
            case Coming(wanted=wanted) if wanted:
                self._download(wanted)
            case Offered(advice=advice):
                self._download(advice.model.name)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        text = event.value.strip()
        if not text:
            return
        path = Path(text).expanduser() if text.startswith(("/", "~", ".")) else None
        try:
            if path is not None:
                added = self._models.add(path)
                self._say(f"✓ {added.name} is linked into the models folder.", "$text-success")
                self.show_models()
            else:
                self._download(text)
            event.input.clear()
            self.query_one(ModelTable).focus()
        except (AssistantError, RuntimeError) as error:
            self._say_error(error)

    def _download(self, wanted: str) -> None:
        if self._job.running:
            self._say(
                with_keys(self, "One download at a time: {models.cancel} cancels the one that runs."), "$text-warning"
            )
            return
        self._say("")
        self.post_message(self.DownloadAsked(wanted))

    @work(exclusive=True, group="use")
    async def use(self, spec: str) -> None:
        """Let a model answer from the next message on."""
        if self._busy():
            self._say(with_keys(self, "A reply is being written; {chat.stop} in the chat stops it."), "$text-warning")
            return
        try:
            model = await asyncio.to_thread(self._models.use, spec)
            words = await self._look_for_offer()
        except AssistantError as error:
            self._say_error(error)
            return
        self.post_message(self.Used())
        self._no_longer_new(model)
        self._no_longer_troubled()
        name = one_line(model.name, NAME_WIDTH)
        self._say(f"✓ {name} answers from now on; the conversation goes on.\n{words}", "$text-success")
        self.show_models()

    def _no_longer_troubled(self) -> None:
        """What is done since a download failed speaks for itself."""
        if self._job.trouble:
            self._job.forget()

    def _no_longer_new(self, model: ModelInfo) -> None:
        if self._job.path is not None and self._job.path.name == model.path.name:
            self._job.forget()

    async def _look_for_offer(self) -> str:
        fingerprint = await asyncio.to_thread(self._assistant.model.fingerprint)
        self._offer = offer_for(self._assistant.profiles.all(), fingerprint)
        self.refresh_bindings()
        keys = keys_of(self)
        if self._offer.version is not None:
            return offer_words(self._offer, 0, "", keys)
        texts = texts_to_learn_from(self._assistant.preferences.items())
        return offer_words(self._offer, texts, (await self._assistant.rebuild.expectation()).words, keys)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what can be done now."""
        match action:
            case "use_downloaded":
                return self._job.path is not None
            case "use_version":
                return self._offer is not None and self._offer.version is not None and not self._offer.in_use
            case "rebuild":
                return self._offer is not None and self._offer.version is None
            case "pause":
                return self._job.running or self._job.paused
            case "cancel":
                return self._job.running or self._job.paused or bool(self._job.trouble)
        return True

    def action_use_downloaded(self) -> None:
        """Let what was downloaded last answer."""
        if self._job.path is not None:
            self.use(self._job.path.name)

    def action_use_version(self) -> None:
        """Put what was learned for this model to use."""
        if self._offer is None or self._offer.version is None:
            return
        try:
            profile = self._assistant.profiles.use(self._offer.version)
        except AssistantError as error:
            self._say_error(error)
            return
        self._offer = Offer(profile.version, in_use=True)
        self._say(f"✓ Version {profile.version} steers from the next message on.", "$text-success")
        self.refresh_bindings()

    def action_rebuild(self) -> None:
        """Learn for the model in use."""
        self.post_message(self.RebuildAsked())

    def action_pause(self) -> None:
        """Pause the download, or go on with it."""
        if self._job.running:
            self._job.pause()
        else:
            self._download(self._job.wanted)

    def action_cancel(self) -> None:
        """Give the download up."""
        try:
            self._job.cancel()
        except (AssistantError, OSError) as error:
            self._say_error(error)
        self.show_models()

    @work(exclusive=True, group="check")
    async def action_check(self) -> None:
        """Check the model under the cursor: its file, then by loading it."""
        row = self.query_one(ModelTable).current
        if not isinstance(row, Here):
            self._say("Only what is here can be checked.", "$text-warning")
            return
        name = one_line(row.model.name, NAME_WIDTH)
        self._say(f"◌ {name}: being checked and loaded for a moment…", "$text-warning")
        try:
            findings = await examine_and_try(row.model.path, self._assistant.paths)
        except AssistantError as error:
            self._say_error(error)
            return
        fine = all(finding.ok for finding in findings)
        self._say(f"{name}: {_in_words(findings)}", "$text-success" if fine else "$text-warning")

    @work
    async def action_remove(self) -> None:
        """Delete the model under the cursor, or what came of it, after a question."""
        row = self.query_one(ModelTable).current
        try:
            if isinstance(row, Here):
                await self._remove(row.model)
            elif isinstance(row, Coming):
                await self._give_up(row)
            else:
                self._say("It is not here.", "$text-warning")
        except AssistantError as error:
            self._say_error(error)
        self.show_models()

    async def _remove(self, model: ModelInfo) -> None:
        removal = self._models.removal(str(model.path))
        frees = f"It frees {size(removal.frees)}." if removal.frees else "Only the link goes, the file stays."
        made = ", ".join(map(str, removal.profiles))
        profiles = f" Profile versions {made} were made for it and fit no other model." if made else ""
        in_use = " It is in use; the bundled model will answer." if removal.in_use else ""
        if removal.in_use and self._busy():
            self._say(with_keys(self, "A reply is being written; {chat.stop} in the chat stops it."), "$text-warning")
            return
        question = f"Remove {one_line(model.name, NAME_WIDTH)}? {frees}{profiles}{in_use}"
        if await self.app.push_screen_wait(ConfirmModal(question, "Remove")):
            self._models.remove(removal)
            self._no_longer_new(model)
            self._no_longer_troubled()
            self._say(f"✓ {one_line(model.name, NAME_WIDTH)} is removed.", "$text-success")
            if removal.in_use:
                self.post_message(self.Used())

    async def _give_up(self, row: Coming) -> None:
        if self._job.running:
            self._say(with_keys(self, "A download runs; {models.cancel} cancels it."), "$text-warning")
            return
        question = f"Delete the {size(row.size)} that came of {one_line(row.name, NAME_WIDTH)}?"
        if await self.app.push_screen_wait(ConfirmModal(question, "Delete")):
            self._models.give_up(row.left)
            self._job.forget()

    @work
    async def action_clear_cache(self) -> None:
        """Delete what is kept to be quicker, after a question."""
        held = sum(kind.size for kind in self._models.cached())
        if not held:
            self._say("The cache is empty.")
            return
        question = f"Delete {size(held)} of cache? History and what was learned stay; the next rebuild is slower."
        if not await self.app.push_screen_wait(ConfirmModal(question, "Delete")):
            return
        try:
            freed = sum(kind.size for kind in await asyncio.to_thread(self._models.clear_cache))
            self._say(f"✓ {size(freed)} freed.", "$text-success")
        except AssistantError as error:
            self._say_error(error)
        self.show_models()

    def action_name(self) -> None:
        """Go to the line where any other model is named."""
        self.query_one(Input).focus()

    def action_close(self) -> None:
        """Out of the line, then back to the chat."""
        if self.query_one(Input).has_focus:
            self.query_one(ModelTable).focus()
        else:
            self.dismiss()


def _in_words(findings: list[Finding]) -> str:
    return "; ".join(f"{'✓' if one.ok else '✗'} {sanitise(one.detail)}" for one in findings)
