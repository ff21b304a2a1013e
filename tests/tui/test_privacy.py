"""The page about privacy, over a real folder."""

from pathlib import Path

import pytest
from textual.widgets import Static

from assistant.paths import resolve_paths
from assistant.privacy.looking import Privacy
from tests.tui.doubles import ScriptedAssistant
from tests.tui.samples import app_of
from tests.tui.test_settings import open_page
from tui.widgets.confirm import ConfirmModal


@pytest.fixture
def assistant(tmp_path: Path) -> ScriptedAssistant:
    """A home with a history and a file of settings, closed to others."""
    scripted = ScriptedAssistant()
    scripted.paths = resolve_paths(tmp_path)
    scripted.privacy = Privacy(scripted.paths)
    for folder in (tmp_path, scripted.paths.data, scripted.paths.config):
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
    for path, length in ((scripted.paths.database, 300_000), (scripted.paths.settings, 10)):
        path.write_bytes(bytes(length))
        path.chmod(0o600)
    return scripted


def said(app) -> str:
    checks = " ".join(str(one.content) for one in app.screen.query(".check Static").results(Static))
    return f"{checks} {app.screen.query_one('#privacy-files', Static).content}"


async def test_what_lies_where_and_who_can_read_it(assistant, settle) -> None:
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await open_page(pilot, "7")
        await settle(pilot, lambda: "300 kB" in said(app))
        assert "2 files, 300 kB, in" in said(app)
        assert "✓ permissions" in said(app)
        assert "✓ sent nothing" in said(app)
        assert not app.screen.query_one("#privacy-close").display


async def test_what_others_can_read_is_named_and_closed_after_a_question(assistant, settle) -> None:
    loose = assistant.paths.database
    loose.chmod(0o644)
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await open_page(pilot, "7")
        await settle(pilot, lambda: str(loose) in said(app))
        assert "✗ permissions" in said(app)
        await pilot.press("x")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        assert str(loose)[:40] in str(app.screen.query_one(".question", Static).content)
        await pilot.press("n")
        await settle(pilot, lambda: not isinstance(app.screen, ConfirmModal))
        assert loose.stat().st_mode & 0o777 == 0o644
        await pilot.press("x")
        await settle(pilot, lambda: isinstance(app.screen, ConfirmModal))
        await pilot.press("y")
        await settle(pilot, lambda: not isinstance(app.screen, ConfirmModal) and "✓ permissions" in said(app))
        assert loose.stat().st_mode & 0o777 == 0o600


async def test_it_is_looked_at_anew_when_asked_and_when_turned_to(assistant, settle) -> None:
    app = app_of(assistant)
    async with app.run_test(size=(140, 45)) as pilot:
        await open_page(pilot, "7")
        await settle(pilot, lambda: "✓ permissions" in said(app))
        assistant.paths.settings.chmod(0o640)
        await pilot.press("r")
        await settle(pilot, lambda: "✗ permissions" in said(app))
        assistant.paths.settings.chmod(0o600)
        await pilot.press("1", "7")
        await settle(pilot, lambda: "✓ permissions" in said(app))
