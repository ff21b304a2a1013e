"""Preference-driven tokens put into words a person can read and correct; kept in prompts only where it helps.

Two candidates: one written by the chat model within a grammar, and a template of phrases and measured habits, which
a model too small to write still gets.
"""

from steering.description.habits import Habits, measure_habits
from steering.description.template import template_description
from steering.description.written import written_description

__all__ = ["Habits", "measure_habits", "template_description", "written_description"]
