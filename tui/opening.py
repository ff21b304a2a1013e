"""The first frame: a prompt that takes text at once, while the rest of the program is read and the history opened."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from assistant.history.pastes import Pastes
from tui.sizes import NARROW
from tui.widgets.prompt import Prompt

OPENING = "◌ opening the history…"


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What of the settings shapes the first frame; they are checked later, with all others."""

    theme: str | None = None
    sidebar: bool = True


def first_look(settings: Path) -> FirstLook:
    """Read them without a word on what is wrong: that is said when the settings are loaded."""
    try:
        appearance: Any = tomllib.loads(settings.read_text(encoding="utf-8")).get("appearance")
    except (OSError, ValueError, RecursionError):
        return FirstLook()
    if not isinstance(appearance, dict):
        return FirstLook()
    theme = appearance.get("theme")
    return FirstLook(theme if isinstance(theme, str) else None, appearance.get("sidebar") is not False)


class OpeningScreen(Screen[None]):
    """Looks like a chat in which nothing is said yet."""

    def __init__(self, sidebar: bool, shown: Callable[[], object]) -> None:
        """`shown` is called once it can be seen."""
        super().__init__()
        self._sidebar = sidebar
        self._shown = shown

    def compose(self) -> ComposeResult:
        with Horizontal():
            if self._sidebar and self.app.size.width >= NARROW:
                yield Vertical(id="sidebar")
            with Vertical(id="conversation"):
                yield Vertical(id="messages")
                yield Prompt(Pastes())  # what is pasted here is pasted again where it belongs
                yield Static(Content.styled(OPENING, "$text-warning"), id="status")
        yield Static(id="opening-foot")

    def on_mount(self) -> None:
        self.query_one(Prompt).focus()
        self.call_after_refresh(self._shown)

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        """Shown where it will stand; it is sent when what was typed is typed again."""
        event.stop()
        self.query_one("#messages").mount(Static(Content(f"❯ {event.text}"), classes="notice"))


@dataclass(slots=True)
class TypedAhead:
    """Keys and pasted texts in their order, to be typed again where they belong."""

    _events: list[events.Key | events.Paste] = field(default_factory=list)

    def hold(self, event: events.Event) -> None:
        """Keep it, if it is one of these."""
        match event:
            case events.Key():
                self._events.append(events.Key(event.key, event.character))
            case events.Paste():
                self._events.append(events.Paste(event.text))

    def take(self) -> events.Key | events.Paste | None:
        """The first that is left."""
        return self._events.pop(0) if self._events else None
