"""What texts are called by where they come from."""

from __future__ import annotations

from assistant.records import Source

SOURCES = {
    Source.EDITED: "edited",
    Source.CHOSEN: "liked",
    Source.WRITING: "text",
    Source.OWN_MESSAGE: "message",
}
