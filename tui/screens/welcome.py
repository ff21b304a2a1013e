"""What an empty chat says: what is kept, where, and how to begin."""

from __future__ import annotations

from textual.content import Content

from assistant.paths import Paths
from assistant.visible import sanitise


def welcome(paths: Paths) -> Content:
    """Three lines for an empty chat."""
    return Content.assemble(
        ("A private assistant", "bold $text-accent"),
        "\n\n",
        "What you write, the replies and your ratings stay here:\n",
        (sanitise(str(paths.data)), "bold"),
        "\nWrite and press ",
        ("enter", "bold"),
        "; rate replies; ",
        ("f2", "bold"),
        " › Rebuild teaches it.",
    )
