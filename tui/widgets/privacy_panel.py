"""Privacy: what lies where, who can read it, which connections are open, and what was sent."""

from __future__ import annotations

from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from assistant.app import Assistant
from assistant.check import Check
from assistant.errors import AssistantError
from assistant.figures import count
from assistant.privacy.files import WHAT, Kind
from assistant.privacy.looking import Look
from assistant.visible import one_line, sanitise
from tui.figures import size
from tui.hints import Hint, KeyButton
from tui.text import literal
from tui.widgets.confirm import ConfirmModal

NAME_WIDTH, SIZE_WIDTH = 9, 7
PATH_WIDTH, MOST_NAMED = 60, 5
FORGETTING = (
    "To forget for good: {sidebar.forget} on a conversation, {message.forget} on a message, /forget in the prompt.\n"
    "To check this from outside: assistant doctor --privacy; unshare -rn assistant has no network at all."
)


class PrivacyPanel(VerticalScroll):
    """Looked at anew each time the page is turned to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "look", "Look again", id="privacy.look"),
        Binding("x", "close_to_others", "Close to others", id="privacy.close"),
    ]

    def __init__(self, assistant: Assistant) -> None:
        super().__init__()
        self._privacy = assistant.privacy
        self._paths = assistant.paths
        self._found: Look | None = None

    def compose(self) -> ComposeResult:
        yield Static("What was looked at just now", classes="title")
        with Vertical(id="privacy-checks", classes="section"):
            yield Static(Content.styled("◌ looking…", "dim"))
        with Horizontal(classes="buttons"):
            yield KeyButton("Look again [{privacy.look}]", id="privacy-look", compact=True)
            yield KeyButton("Close to others [{privacy.close}]", id="privacy-close", compact=True)
        yield Static("What lies here", classes="title")
        yield Static(id="privacy-files", classes="section")
        yield Hint(FORGETTING, classes="hint")

    def on_mount(self) -> None:
        self.query_one("#privacy-close").display = False

    @work(exclusive=True, group="privacy")
    async def look(self) -> None:
        """Look, and show what was found."""
        checks = self.query_one("#privacy-checks", Vertical)
        try:
            found = await self._privacy.look()
        except OSError as error:
            found = Look((), (Check("looking", False, str(error)),), ())
        self._found = found
        with self.app.batch_update():
            await checks.remove_children()
            await checks.mount_all(map(_row, found.checks))
        self.query_one("#privacy-files", Static).update(self._files_text(found.kinds))
        self.query_one("#privacy-close").display = bool(found.open_to_others)
        self.refresh_bindings()

    def _files_text(self, kinds: tuple[Kind, ...]) -> Content:
        paths = self._paths
        folders = dict.fromkeys(map(str, (paths.config, paths.data, paths.cache)))
        total = f"{count(sum(kind.files for kind in kinds), 'file')}, {size(sum(kind.size for kind in kinds))}, in"
        named = (Content.styled(f"  {sanitise(folder)}", "dim") for folder in folders)
        return Content("\n").join([*map(_kind_line, kinds), Content(total), *named])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is nothing to close where nothing is open."""
        return action != "close_to_others" or (self._found is not None and bool(self._found.open_to_others))

    def on_button_pressed(self, event: KeyButton.Pressed) -> None:
        event.stop()
        if event.button.id == "privacy-look":
            self.look()
        else:
            self.action_close_to_others()

    def action_look(self) -> None:
        """Look again."""
        self.look()

    @work
    async def action_close_to_others(self) -> None:
        """Take the rights of other accounts away, after a question that names the files."""
        paths = self._found.open_to_others if self._found is not None else ()
        named = [f"  {one_line(str(path), PATH_WIDTH)}" for path in paths[:MOST_NAMED]]
        more = [f"  and {len(paths) - MOST_NAMED:,} more"] if len(paths) > MOST_NAMED else []
        question = "\n".join(["Take all rights of other accounts from these?", *named, *more])
        if not await self.app.push_screen_wait(ConfirmModal(question, "Close them", "Leave them")):
            return
        try:
            closed = await self._privacy.close_to_others()
            self.notify(f"Closed: {count(closed, 'file or folder', 'files and folders')}.", timeout=3)
        except AssistantError as error:
            self.notify(sanitise(str(error)), severity="error", markup=False)
        self.look()


def _row(check: Check) -> Horizontal:
    """Two columns, so that a long detail is continued below itself."""
    mark = ("✓ ", "$text-success") if check.ok else ("✗ ", "bold $text-error")
    name = Static(Content.assemble(mark, (check.name, "bold")), classes="check-name")
    return Horizontal(name, Static(literal(check.detail), classes="check-detail"), classes="check")


def _kind_line(kind: Kind) -> Content:
    sized = size(kind.size).rjust(SIZE_WIDTH)
    return Content.assemble((kind.name.ljust(NAME_WIDTH), "bold"), f"  {sized}  ", (WHAT[kind.name], "dim"))
