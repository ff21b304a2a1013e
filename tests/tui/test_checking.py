"""The key that checks a model, with the real checker and the real engine on files that are whole and that are not."""

from __future__ import annotations

import asyncio

import pytest

from assistant.app import Assistant
from assistant.models.examine import Finding
from assistant.paths import resolve_paths
from assistant.trial import examine_and_try
from tests.assistant.conftest import prepare_home
from tests.tiny_models import write_tiny_model
from tests.tui.reading import status
from tests.tui.test_models import go_to, here, offered, opened, said
from tui.app import AssistantApp
from tui.screens.chat import ChatScreen


@pytest.fixture
def app(tmp_path) -> AssistantApp:
    """A whole model in use; beside it one without a template, one cut short, one that is text, one without a matrix."""
    home = prepare_home(tmp_path / "home", write_tiny_model(tmp_path / "used.gguf"))
    folder = resolve_paths(home).models
    folder.mkdir(parents=True, exist_ok=True)
    whole = write_tiny_model(folder / "whole.gguf").read_bytes()
    write_tiny_model(folder / "untaught.gguf", chat_template=None)
    (folder / "short.gguf").write_bytes(whole[:-5000])
    (folder / "prose.gguf").write_text("[bold]no model[/bold] \x1b[31mat all\n" * 50)
    assert whole.count(b"blk.1.attn_q.weight") == 1
    (folder / "hollow.gguf").write_bytes(whole.replace(b"blk.1.attn_q.weight", b"blk.1.attn_x.weight"))
    return AssistantApp(Assistant.open(home), clock=lambda: 0.0)


@pytest.mark.parametrize(
    ("name", "marks", "words"),
    [
        ("whole.gguf", "✓✓✓✓✓", ("whole: ", "3 blocks", "loaded in", "control vectors move it")),
        ("untaught.gguf", "✓✓✗✓✓", ("it has no chat template", "loaded in")),
        ("short.gguf", "✗", ("short.gguf: truncated",)),
        ("prose.gguf", "✗", ("prose.gguf: not a GGUF file",)),
        ("hollow.gguf", "✓✓✓✗", ("hollow.gguf",)),
    ],
)
async def test_a_model_is_checked_by_a_key(app, settle, name, marks, words) -> None:
    async with app.run_test(size=(140, 30)) as pilot:
        await settle(pilot, lambda: "ready" in status(app))
        await opened(pilot, settle)
        await go_to(pilot, settle, here(name))
        await pilot.press("c")
        await settle(pilot, lambda: said(app).startswith(f"{name}: ") or "✗" in said(app))
        assert [mark for mark in said(app) if mark in "✓✗"] == list(marks)
        for part in words:
            assert part in said(app)
        assert "\x1b" not in said(app)
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, ChatScreen))
        assert "ready" in status(app), "the model that answers is not touched"


async def test_only_what_is_here_is_checked(app, settle) -> None:
    async with app.run_test(size=(140, 30)) as pilot:
        await opened(pilot, settle)
        await go_to(pilot, settle, offered("qwen2.5-1.5b"))
        await pilot.press("c")
        await settle(pilot, lambda: "Only what is here can be checked" in said(app))


async def test_the_screen_may_be_left_while_a_model_is_checked(app, settle, monkeypatch) -> None:
    async def endless(*what: object) -> list[Finding]:
        await examine_and_try(*what)  # over within a frame on a fast machine
        return await asyncio.Future()

    monkeypatch.setattr("tui.screens.models.examine_and_try", endless)
    async with app.run_test(size=(140, 30)) as pilot:
        await opened(pilot, settle)
        await go_to(pilot, settle, here("whole.gguf"))
        await pilot.press("c")
        await settle(pilot, lambda: "being checked" in said(app))
        await pilot.press("escape")
        await settle(pilot, lambda: isinstance(app.screen, ChatScreen))
        await settle(pilot, lambda: "ready" in status(app))
