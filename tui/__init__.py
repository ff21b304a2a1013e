"""The screens (Textual). Knows only the `assistant` package."""

import os

# Textual draws at most so often, and reads it when it is imported: at its own 60 a key waits up to 17 ms for its frame.
os.environ.setdefault("TEXTUAL_FPS", "120")
