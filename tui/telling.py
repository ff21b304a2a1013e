"""Errors of the assistant become a notification; the screen lives on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from textual.widget import Widget

from assistant.errors import AssistantError
from assistant.visible import sanitise


@contextmanager
def telling(widget: Widget) -> Iterator[None]:
    """Show what goes wrong within as a notification, in the error's own words."""
    try:
        yield
    except AssistantError as error:
        widget.notify(sanitise(str(error)), title="That did not work", severity="error", markup=False)
