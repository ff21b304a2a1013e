"""Versions: what was rebuilt when, and back to any of them."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable, Static

from assistant.profile.profiles import Profile, Profiles
from tui.figures import day
from tui.telling import telling

COLUMNS = (("Version", 11), ("Made", 16), ("Texts", 5), ("Gain", 7), ("KL", 6), ("Form", 11), ("", 22))


class VersionsPanel(Vertical):
    """All versions of the profile, newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,u", "use", "Use this version", id="versions.use"),
    ]

    class Switched(Message):
        """Another version is in use."""

    def __init__(self, profiles: Profiles) -> None:
        super().__init__()
        self._profiles = profiles
        self._shown: list[Profile] = []

    def compose(self) -> ComposeResult:
        yield Static("enter puts a version to use from the next message on", classes="hint")
        yield DataTable[Content](cursor_type="row", id="versions")

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
        hint = "enter puts a version to use from the next message on" if self._shown else "No version yet; b rebuilds."
        self.query_one(".hint", Static).update(Content(hint))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        self.action_use()

    def action_use(self) -> None:
        """Put the version under the cursor to use."""
        row = self.query_one(DataTable).cursor_row
        if not 0 <= row < len(self._shown):
            return
        with telling(self):
            profile = self._profiles.use(self._shown[row].version)
            self.notify(f"Version {profile.version} is in use.", timeout=3)
            self.post_message(self.Switched())


def _cells(profile: Profile) -> tuple[Content, ...]:
    outcome = profile.outcome
    notes = [note for note, holds in (("stale", profile.stale), ("your words", profile.description_edited)) if holds]
    version = (
        Content.styled(f"▸ {profile.version} in use", "bold") if profile.in_use else Content(f"  {profile.version}")
    )
    return (
        version,
        Content(day(profile.created_at)),
        Content(f"{outcome.items:>5}"),
        Content(f"{outcome.gain_nats_per_token:+7.3f}"),
        Content(f"{outcome.kl_neutral:6.3f}"),
        Content(outcome.form),
        Content(", ".join(notes)),
    )
