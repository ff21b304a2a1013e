"""Sizes of the window at which the screens change."""

from __future__ import annotations

NARROW = 100
"""Columns that a list of conversations beside the chat needs."""
