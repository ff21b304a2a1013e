"""Hints that name keys: those that hold now, which need not be the usual ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from textual.app import App
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Button, Input, Static

KEY = re.compile(r"\{([a-z]+\.[a-z_]+)\}")
"""Stands in a hint for the key of a binding, by its id."""


class KeyedApp(App[int]):
    """An app that knows what its keys are called."""

    key_names: Mapping[str, str] = {}  # replaced, never changed
    """What the key of a binding is called now, by the binding's id."""


@runtime_checkable
class NamesKeys(Protocol):
    """A part of a screen that stays while keys may change."""

    def name_keys(self) -> None:
        """Draw the hints anew."""


def keys_of(node: DOMNode) -> Mapping[str, str]:
    """What the key of each binding is called now."""
    app: App[Any] = node.app
    if not isinstance(app, KeyedApp):
        raise TypeError(f"{type(app).__name__} does not know what its keys are called")
    return app.key_names


def with_keys(node: DOMNode, hint: str) -> str:
    """A hint of ours with "{id of a binding}" replaced by its key. Never to be given text of models or people."""
    names = keys_of(node)
    return KEY.sub(lambda found: names[found[1]], hint)


def name_keys_anew(screens: Iterable[Screen[Any]]) -> None:
    """Draw the hints of these screens anew, after keys have changed."""
    for screen in screens:
        for node in screen.walk_children(with_self=True):
            if isinstance(node, Widget) and node.is_mounted and isinstance(node, NamesKeys):
                node.name_keys()


class Hint(Static):
    """A line of ours that names keys."""

    def __init__(self, hint: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._hint = hint

    def on_mount(self) -> None:
        self.name_keys()

    def say(self, hint: str) -> None:
        """Show another hint."""
        self._hint = hint
        self.name_keys()

    def name_keys(self) -> None:
        self.update(Content(with_keys(self, self._hint)))


class KeyButton(Button):
    """A button that names the key that does the same."""

    def __init__(self, hint: str, *, id: str, compact: bool = False) -> None:
        super().__init__(id=id, compact=compact)
        self._hint = hint

    def on_mount(self) -> None:
        self.name_keys()

    def name_keys(self) -> None:
        self.label = Content(with_keys(self, self._hint))


class KeyInput(Input):
    """A line to write in, whose empty state names the key that leads there."""

    def __init__(self, hint: str, *, id: str) -> None:
        super().__init__(compact=True, id=id)
        self._hint = hint

    def on_mount(self) -> None:
        self.name_keys()

    def name_keys(self) -> None:
        self.placeholder = with_keys(self, self._hint)
