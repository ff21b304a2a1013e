"""The names of what preference following is measured with, for whoever needs no torch."""

from __future__ import annotations

from steering.evaluation.names import DESCRIPTION, OTHER_PERSON, RANDOM, UNSTEERED

STATED, VECTOR, BOTH = "preference-prompt", "vector", "both"
"""The stated preference itself in the prompt (the ceiling); the profile's vector alone; description and vector."""
FOLLOWING = (UNSTEERED, STATED, DESCRIPTION, VECTOR, BOTH, RANDOM, OTHER_PERSON)

EACH = 8
"""Preferences of a person, of as many topics."""
MIN_PREFERENCES = 2
"""One to be described by and one to choose the description by."""

PREFERENCES_VERSION = 3
"""Goes up whenever the same person would give other results."""
