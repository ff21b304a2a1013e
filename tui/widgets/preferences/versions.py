"""Versions: what was rebuilt when, back to any of them; compare, export, import, delete."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable, Static

from assistant.profile.comparison import comparison_lines
from assistant.profile.profiles import Profiles
from assistant.profile.version import Profile
from assistant.visible import sanitise
from tui.figures import day
from tui.hints import Hint, with_keys
from tui.path_suggester import is_file
from tui.telling import telling
from tui.widgets.confirm import ConfirmModal
from tui.widgets.path_modal import PathModal
from tui.widgets.preferences.comparison import ComparisonModal

COLUMNS = (("Version", 11), ("Made", 10), ("Texts", 5), ("Gain", 7), ("KL", 6), ("Form", 50))
HINT = (
    "{versions.use}: use from now on · {versions.compare}: compare · {versions.export}: export · "
    "{versions.delete}: delete"
)
HINT_IMPORT = " · {versions.import}: import"
NONE = "No version yet; {settings.rebuild} rebuilds, {versions.import} imports one from a file."
EXPORTED = "Vector, description, phrases and figures; none of your texts go into the file."
IMPORTED = "A file that this program exported (.zip). It is kept as a new version, not put to use."


class VersionsPanel(Vertical):
    """All versions of the profile, newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,u", "use", "Use this version", id="versions.use"),
        # The hint names them; shown below too, they would push "Back" out of a line of 80 characters.
        Binding("c", "compare", "Compare with the one in use", show=False, id="versions.compare"),
        Binding("x", "export", "Export to a file", show=False, id="versions.export"),
        Binding("i", "import_version", "Import from a file", show=False, id="versions.import"),
        Binding("d,delete", "delete", "Delete", show=False, id="versions.delete"),
    ]

    class Switched(Message):
        """Another version is in use."""

    def __init__(self, profiles: Profiles) -> None:
        super().__init__()
        self._profiles = profiles
        self._shown: list[Profile] = []

    def compose(self) -> ComposeResult:
        yield Hint(classes="hint")
        yield DataTable[Content](cursor_type="row", id="versions")
        yield Static(id="version-detail", classes="hint")

    def on_mount(self) -> None:
        for title, width in COLUMNS:
            self.query_one(DataTable).add_column(title, width=width)
        self.show_versions()

    def show_versions(self) -> None:
        """Read the versions anew."""
        with telling(self):
            self._shown = self._profiles.all()
        table = self.query_one(DataTable)
        row = table.cursor_row
        table.clear()
        for profile in self._shown:
            table.add_row(*_cells(profile))
        table.move_cursor(row=row)
        self._show_detail()
        self.query_one(Hint).say(HINT + HINT_IMPORT if self._shown else NONE)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        self._show_detail()

    def _show_detail(self) -> None:
        chosen = self._current()
        self.query_one("#version-detail", Static).update(Content(_in_words(chosen) if chosen else ""))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_use()

    def action_use(self) -> None:
        """Put the version under the cursor to use."""
        chosen = self._current()
        if chosen is None:
            return
        with telling(self):
            profile = self._profiles.use(chosen.version)
            self.notify(f"Version {profile.version} is in use.", timeout=3)
            self.post_message(self.Switched())

    @work
    async def action_compare(self) -> None:
        """Show what changed between the current version and the one in use, or the one before it."""
        chosen = self._current()
        other = chosen and _counterpart(chosen, self._shown)
        if chosen is None or other is None:
            self.notify("There is no other version to compare it with.", timeout=3)
            return
        before, after = sorted((chosen.version, other.version))
        with telling(self):
            lines = comparison_lines(self._profiles.compare(before, after))
            await self.app.push_screen_wait(ComparisonModal(lines))

    @work
    async def action_export(self) -> None:
        """Write the current version to a file."""
        chosen = self._current()
        if chosen is None:
            return
        modal = PathModal(f"Export version {chosen.version}", EXPORTED, f"~/version-{chosen.version}.zip")
        target = await self.app.push_screen_wait(modal)
        if target is None:
            return
        target = target if target.suffix.lower() == ".zip" else target.with_name(f"{target.name}.zip")
        force = is_file(target)
        if force and not await self.app.push_screen_wait(ConfirmModal(f"Replace {target}?", "Replace")):
            return
        with telling(self):
            await self._profiles.export_version(chosen.version, target, force=force)
            self.notify(sanitise(f"{target}: written"), markup=False)

    @work
    async def action_import_version(self) -> None:
        """Keep a version from a file; it is not put to use."""
        path = await self.app.push_screen_wait(PathModal("Import a version", IMPORTED))
        if path is None:
            return
        with telling(self):
            added = await self._profiles.import_version(path)
            other = "it is for another model than the one in use"
            note = other if added.other_model else with_keys(self, "{versions.use} puts it to use")
            self.notify(f"Kept as version {added.version}; {note}.")
        self.show_versions()

    @work
    async def action_delete(self) -> None:
        """Erase the current version, after a question."""
        chosen = self._current()
        if chosen is None:
            return
        question = (
            f"Erase version {chosen.version} with its vector, phrases, description and figures? Your texts stay. "
            "Automatic backups go too, as they hold it. This cannot be undone."
        )
        with telling(self):
            self._profiles.check_deletable(chosen.version)
            if await self.app.push_screen_wait(ConfirmModal(question, "Erase")):
                self._profiles.delete(chosen.version)
                self.post_message(self.Switched())
            self.show_versions()

    def _current(self) -> Profile | None:
        row = self.query_one(DataTable).cursor_row
        return self._shown[row] if 0 <= row < len(self._shown) else None


def _counterpart(chosen: Profile, shown: list[Profile]) -> Profile | None:
    """The version in use; for that one the next older, else the next newer."""
    others = [profile for profile in shown if profile.version != chosen.version]
    in_use = [profile for profile in others if profile.in_use]
    older = [profile for profile in others if profile.version < chosen.version]
    return next(iter([*in_use, *older, *reversed(others)]), None)


def _marks(profile: Profile) -> tuple[tuple[str, str, bool], ...]:
    """What there may be to note of a version, in a word and in full, and whether it is so."""
    return (
        ("other model", "for another model than the one in use", profile.other_model),
        (
            "imported",
            "imported; the texts it learned from are not named in it: it never becomes stale when one is forgotten",
            profile.imported,
        ),
        ("stale", "stale: a text it learned from is gone", profile.stale),
        ("your words", "description in your words", profile.description_edited),
    )


def _in_words(profile: Profile) -> str:
    """All that the row has no room for."""
    made = f"Version {profile.version} of {day(profile.created_at)}"
    return " · ".join([made, profile.outcome.form, *(full for _, full, holds in _marks(profile) if holds)])


def _cells(profile: Profile) -> tuple[Content, ...]:
    outcome = profile.outcome
    notes = [short for short, _, holds in _marks(profile) if holds]
    version = (
        Content.styled(f"▸ {profile.version} in use", "bold") if profile.in_use else Content(f"  {profile.version}")
    )
    return (
        version,
        Content(day(profile.created_at).split()[0]),
        Content(f"{outcome.items:>5}"),
        Content(f"{outcome.gain_nats_per_token:+7.3f}"),
        Content(f"{outcome.kl_neutral:6.3f}"),
        Content(", ".join((outcome.form, *notes))),
    )
