"""What an empty chat says: what is kept, where, and how to begin."""

from __future__ import annotations

from collections.abc import Mapping

from textual.content import Content

from assistant.models.advice import Advice
from assistant.paths import Paths
from assistant.visible import sanitise
from tui.figures import size


def welcome(paths: Paths, keys: Mapping[str, str], better: Advice | None = None) -> Content:
    """Three lines for an empty chat, and a fourth where a better model than the bundled one fits this machine.

    `keys`: what keys are called, by the ids of bindings.
    """
    return Content.assemble(
        ("A private assistant", "bold $text-accent"),
        "\n\n",
        "What you write, the replies and your ratings stay here:\n",
        (sanitise(str(paths.data)), "bold"),
        "\nWrite and press ",
        (keys["prompt.send"], "bold"),
        "; rate replies; ",
        (keys["app.settings"], "bold"),
        " › Rebuild teaches it.",
        *_offer(better, keys),
    )


def _offer(better: Advice | None, keys: Mapping[str, str]) -> tuple[str | tuple[str, str], ...]:
    """What answers is the small bundled model; one that this machine can hold is offered."""
    if better is None:
        return ()
    named = f"{better.model.name}, {size(better.model.size)}"
    return (
        "\n\nA small model answers. This machine can hold a better one: ",
        (keys["app.models"], "bold"),
        f" ({named}).",
    )
