"""The line that offers a rebuild, below the status; it takes no room while there is nothing to offer."""

from __future__ import annotations

from tui.hints import Hint

KEYS = "{app.settings} {settings.rebuild} rebuilds · {chat.later} hides this"


class RebuildHint(Hint):
    """What is new, and the keys for a rebuild and against it."""

    DEFAULT_CSS = """
    RebuildHint {
        display: none; height: 1; padding: 0 2; color: $text-accent; text-wrap: nowrap; text-overflow: ellipsis;
    }
    """

    def offer(self, words: str) -> None:
        """Offer one for this reason; empty takes the offer back."""
        self.display = bool(words)
        self.say(f"△ {words} · {KEYS}" if words else "")
