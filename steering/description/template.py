"""The description that needs no model: measured habits and the strongest phrases."""

from __future__ import annotations

from collections.abc import Sequence

from steering.description.habits import length_sentence, manner, measure_habits
from steering.items import PreferenceItem
from steering.profile import Phrase


def template_description(items: Sequence[PreferenceItem], phrases: Sequence[Phrase]) -> str:
    """Plain sentences from measured habits and the strongest phrases."""
    habits = measure_habits([item.text for item in items])
    sentences = [length_sentence(habits), *manner(habits)]
    if phrases:
        quoted = ", ".join(f"“{phrase.text}”" for phrase in phrases[:8])
        sentences.append(f"Typical words and phrases: {quoted}.")
    return " ".join(sentences)
